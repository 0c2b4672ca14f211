"""EG3D: volumes and meshes of a head of known size, colours and orientation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from facegen.cli import sampling
from facegen.rendering.isosurface import density, raw_density
from facegen.rendering.mesh_files import linear
from tests.cli.analytic_head import LEVEL, NOSE, NOSE_RADIUS, RADII, color, head, inside, tiny_eg3d
from tests.cli.conftest import Facegen


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "load_generator", lambda *_: head())


def test_mesh_is_the_head(facegen: Facegen, tmp_path: Path) -> None:
    words = ["seeds=4", "mesh=true", "volume_resolution=64", f"outdir={tmp_path}"]
    status, out, _ = facegen("generate", "checkpoint=x", *words)
    assert status == 0 and "triangles" in out
    assert {path.name for path in tmp_path.iterdir()} == {"seed0004.ply", "seed0004.glb"}
    mesh = trimesh.load_mesh(tmp_path / "seed0004.ply", process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    x, y, z = RADII
    tip = NOSE[2] + NOSE_RADIUS
    assert mesh.bounds == pytest.approx(np.array([[-x, -y, -z], [x, y, tip]]), abs=0.003)  # z is towards the viewer
    vertices = torch.from_numpy(np.asarray(mesh.vertices)).float()
    assert inside(vertices).abs().max() < 0.01
    expected = ((2 * color(vertices) - 1) * 127.5 + 128).clamp(0, 255).numpy()
    visual: Any = mesh.visual
    assert np.abs(visual.vertex_colors[:, :3] - expected).max() <= 1
    (glb,) = trimesh.load_scene(tmp_path / "seed0004.glb", process=False).geometry.values()
    assert np.array_equal(glb.vertices, mesh.vertices) and np.array_equal(glb.faces, mesh.faces)
    colors = linear(np.asarray(visual.vertex_colors[:, :3]))
    assert np.allclose(glb.visual.vertex_attributes["color"], colors, atol=1e-6)


def test_level_is_a_density(facegen: Facegen, tmp_path: Path) -> None:
    volumes = []
    for level in (3.0, 30.0):
        words = ["seeds=0", "mesh=true", "volume_resolution=32", f"mesh_level={level}", f"outdir={tmp_path}"]
        facegen("generate", "checkpoint=x", *words)
        volumes.append(trimesh.load_mesh(tmp_path / "seed0000.ply", process=False).volume)
    assert volumes[0] > 1.2 * volumes[1]  # the denser, the deeper inside


def test_volume_says_where_it_is(facegen: Facegen, tmp_path: Path) -> None:
    words = ["seeds=0-1", "volume=true", "volume_resolution=16", f"outdir={tmp_path}"]
    assert facegen("generate", "checkpoint=x", *words)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"seed0000_volume.npz", "seed0001_volume.npz"}
    with np.load(tmp_path / "seed0000_volume.npz", allow_pickle=False) as file:
        sigma, origin, spacing = file["sigma"], file["origin"], float(file["spacing"])
    assert sigma.shape == (16, 16, 16) and sigma.dtype == np.float32
    assert spacing == 1 / 16 and origin == pytest.approx([-0.5 + 1 / 32] * 3)
    where = torch.tensor(origin + np.array([7, 5, 12]) * spacing).float()
    assert sigma[7, 5, 12] == pytest.approx(raw_density(LEVEL) + 150 * inside(where).item(), abs=1e-2)


def test_together(facegen: Facegen, tmp_path: Path) -> None:
    words = ["volume=true", "mesh=true", "poses=grid", "yaw_columns=1", "pitch_columns=0", "volume_resolution=16"]
    assert facegen("generate", "checkpoint=x", "seeds=0", f"outdir={tmp_path}", *words)[0] == 0
    stems = {"_volume.npz", ".ply", ".glb", "_yaw+0.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"grid.png"} | {f"seed0000{stem}" for stem in stems}


def test_empty_surface_names_the_range(refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sampling, "load_generator", lambda *_: tiny_eg3d())
    line = refused("generate", "checkpoint=x", "seeds=0", "mesh=true", "volume_resolution=8", f"outdir={tmp_path}")
    assert "mesh of seed 0: got density 9 (sigma 10), but the volume is empty there: its sigma goes from" in line
    assert "mesh_level" in line and not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("mesh_level=0", "mesh_level: density: got 0"),
        ("mesh_level=x", "mesh_level: got 'x', expected a number"),
        ("volume_resolution=1", "volume_resolution: got 1, expected 2 to 1024"),
    ],
)
def test_mistakes(refused, tmp_path: Path, word: str, expected: str) -> None:
    assert expected in refused("generate", "checkpoint=x", "mesh=true", f"outdir={tmp_path / 'o'}", word)
    assert not (tmp_path / "o").exists()


def test_default_level_is_that_of_the_published_script() -> None:
    assert raw_density(9.0) == pytest.approx(10, abs=1e-3) and density(10.0) == pytest.approx(9, abs=1e-3)
