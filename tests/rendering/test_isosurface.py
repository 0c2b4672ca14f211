"""Spheres and slabs of known density: volume, radius, orientation, colours, closed borders; files that others read."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from facegen.geometry import cameras
from facegen.geometry.projection import world_to_clip
from facegen.rendering import interpolate, rasterize
from facegen.rendering.depth_colors import depth_colors
from facegen.rendering.isosurface import (
    Surface,
    cell_centres,
    closed,
    density,
    density_grid,
    isosurface,
    raw_density,
    sample_grid,
)
from facegen.rendering.mesh_files import linear, save_glb, save_ply
from tests.golden import FIRST_ORDER, assert_close_golden, golden_root, golden_stems, load_npz

CENTRE = torch.tensor([0.05, -0.1, 0.02])
RADII = torch.tensor([0.2, 0.3, 0.25])
LEVEL = 9.0


def ellipsoid(points: Tensor) -> Tensor:
    """Raw density that passes LEVEL on an ellipsoid, with a gradient of about 100 per world unit."""
    distance = torch.linalg.vector_norm((points - CENTRE) / RADII, dim=-1)
    return raw_density(LEVEL) + 25 * (1 - distance)


@pytest.fixture(scope="module")
def surface() -> Surface:
    return isosurface(density_grid(ellipsoid, 48, 1.0), LEVEL)


@pytest.mark.parity
@pytest.mark.parametrize("stem", golden_stems("eg3d/sample_grid*.npz", ".npz"))
def test_published_grid(stem: str) -> None:
    golden = load_npz(golden_root() / "eg3d" / f"{stem}.npz")
    points, first, spacing = sample_grid(int(golden["N"]), float(golden["cube_length"]))
    assert_close_golden(points[None], golden["samples"], *FIRST_ORDER, "samples")
    assert torch.allclose(golden["voxel_origin"], golden["voxel_origin"].new_tensor(first))
    assert spacing == pytest.approx(float(golden["voxel_size"]))


def test_published_grid_is_sheared_by_less_than_a_cell() -> None:
    points, first, spacing = sample_grid(5, 2.0)
    whole = torch.cartesian_prod(*[torch.arange(5)] * 3) * spacing + first
    shear = (points - whole) / spacing
    assert shear[:, 2].abs().max() < 1e-5 and shear[:, :2].min() > -1e-5 and 0.5 < shear.max() < 1


def test_grid_does_not_depend_on_chunks_and_is_where_it_says() -> None:
    grid = density_grid(ellipsoid, 9, 2.0, chunk=100)
    assert np.array_equal(grid.sigma, density_grid(ellipsoid, 9, 2.0, chunk=10**6).sigma)
    corner = grid.origin + np.array([2, 7, 4]) * grid.spacing
    expected = ellipsoid(torch.from_numpy(corner).float()).item()
    assert grid.sigma[2, 7, 4] == pytest.approx(expected, abs=1e-4)
    assert torch.allclose(cell_centres(torch.tensor([0, 728]), 9, 2.0).abs(), torch.tensor(1 - 1 / 9))


@pytest.mark.parametrize("value", [0.01, 1.0, 9.0, 400.0])
def test_density_and_back(value: float) -> None:
    assert density(raw_density(value)) == pytest.approx(value)
    assert raw_density(value) == pytest.approx(1 + math.log(math.expm1(value)) if value < 100 else 1 + value)


def test_ellipsoid_is_found(surface: Surface) -> None:
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(4 / 3 * math.pi * float(RADII.prod()), rel=0.01)  # positive: outwards
    distance = np.linalg.norm((surface.vertices - CENTRE.numpy()) / RADII.numpy(), axis=1)
    assert np.abs(distance - 1).max() < 0.01
    gradient = (surface.vertices - CENTRE.numpy()) / RADII.numpy() ** 2
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    assert (surface.normals * gradient).sum(axis=1).min() > 0.95


def test_front_faces_turn_to_the_camera(surface: Surface) -> None:
    label = cameras.label(cameras.look_at(math.pi / 2, math.pi / 2), cameras.pinhole_intrinsics())
    vertices, triangles = torch.from_numpy(surface.vertices), torch.from_numpy(surface.triangles)
    clip = torch.nn.functional.pad(vertices, (0, 1), value=1.0) @ world_to_clip(label)[0].T
    seen = rasterize(clip[None], triangles, 64, cull=True)
    assert torch.equal(seen.depth, rasterize(clip[None], triangles, 64).depth)
    normals = interpolate(torch.from_numpy(surface.normals), seen, triangles)[seen.triangle_id >= 0]
    assert len(normals) > 300 and (normals[:, 2] > 0).all()


def test_surface_closes_on_the_faces_of_the_cube() -> None:
    def slab(points: Tensor) -> Tensor:
        return 60 * (0.31 - points[:, 2].abs()) + 20 * points[:, 0]  # leaves the cube at x and y

    found = isosurface(density_grid(slab, 20, 1.0), 1.0)
    mesh = trimesh.Trimesh(found.vertices, found.triangles, process=False)
    assert mesh.is_watertight and mesh.volume > 0.3
    assert mesh.bounds[:, :2] == pytest.approx(np.array([[-0.5, -0.5], [0.5, 0.5]]), abs=1e-5)


def test_added_layer_is_never_above_the_level() -> None:
    sigma = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    padded = closed(sigma, 0.2)
    assert np.array_equal(padded[1:-1, 1:-1, 1:-1], sigma)
    padded[1:-1, 1:-1, 1:-1] = 0
    assert padded.max() <= 0.2


@pytest.mark.parametrize(
    ("level", "words"),
    [(1e3, "empty there: its sigma goes from -"), (1e-9, "solid"), (0.0, "above 0"), (float("nan"), "above 0")],
)
def test_no_surface(level: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        isosurface(density_grid(ellipsoid, 8, 0.5), level)


def test_diverged_weights() -> None:
    with pytest.raises(ValueError, match="not finite"):
        isosurface(density_grid(lambda points: points[:, 0] / 0, 4, 1.0), 1.0)


def test_files_are_read_by_others(surface: Surface, tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(0, 256, surface.vertices.shape).astype(np.uint8)
    ply = trimesh.load_mesh(save_ply(surface, colors, tmp_path / "a.ply"), process=False)
    scene = trimesh.load_scene(save_glb(surface, colors, tmp_path / "a.glb"), process=False)
    (glb,) = scene.geometry.values()
    assert np.array_equal(scene.bounds, [surface.vertices.min(axis=0), surface.vertices.max(axis=0)])
    for mesh in (ply, glb):
        assert np.array_equal(mesh.vertices, surface.vertices) and np.array_equal(mesh.faces, surface.triangles)
    raw = ply.metadata["_ply_raw"]["vertex"]["data"]
    assert np.array_equal(np.stack([raw[name] for name in ("nx", "ny", "nz")], axis=-1), surface.normals)
    assert np.allclose(glb.vertex_normals, surface.normals, atol=1e-6)
    assert np.array_equal(np.stack([raw[name] for name in ("red", "green", "blue")], axis=-1), colors)
    assert np.allclose(glb.visual.vertex_attributes["color"], linear(colors), atol=1e-6)
    assert glb.visual.material.metallicFactor == 0


def test_linear_light() -> None:
    assert linear(np.array([[0, 255, 188]], np.uint8))[0] == pytest.approx([0, 1, 0.5], abs=5e-3)


def test_depth_colors_fall_from_near_to_far() -> None:
    picture = depth_colors(np.array([[1.0, 2.0, 2.5, 3.0, 9.0, np.inf, np.nan]]), 2.0, 3.0)
    light = picture[0].astype(int).sum(axis=1)
    assert picture.shape == (1, 7, 3) and light[0] == light[1] > light[2] > light[3]
    assert (picture[0, 3:] == picture[0, 3]).all()
    with pytest.raises(ValueError, match="near < far"):
        depth_colors(np.zeros(1), 1.0, 1.0)
