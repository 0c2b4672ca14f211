"""Files that an independent reader (trimesh) reads back; the texture's corners are where the coordinates say."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from facegen.rendering.mesh_files import Mesh, linear, save_mesh

TEXTURE = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3) * 3


def square(**columns: Any) -> Mesh:
    """Two triangles with a seam between them."""
    vertices = np.array([[0, 0, 0.5], [2, 0, 0], [2, 1, 0.25], [0, 1, 0]])
    return Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]]), **columns)


def textured() -> Mesh:
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 0.5], [0.5, 1], [0, 1]])
    return square(uv=uv, uv_triangles=np.array([[0, 1, 2], [3, 4, 5]]), texture=TEXTURE)


def read_back(path: Path) -> Any:
    (mesh,) = trimesh.load_scene(path, process=False).geometry.values()
    return mesh


def corners(mesh: Any) -> np.ndarray:
    """Position and texture coordinates of every corner, which do not depend on how vertices are numbered."""
    return np.concatenate([mesh.vertices[mesh.faces], mesh.visual.uv[mesh.faces]], axis=-1)


@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_texture(ending: str, tmp_path: Path) -> None:
    mesh = textured()
    path = save_mesh(mesh, tmp_path / f"face.{ending}")
    read = read_back(path)
    assert mesh.uv is not None
    expected = np.concatenate([mesh.vertices[mesh.triangles], mesh.uv[mesh.chart]], axis=-1)
    np.testing.assert_allclose(corners(read), expected, atol=1e-6)
    material = read.visual.material
    picture = material.baseColorTexture if ending == "glb" else material.image
    assert np.array_equal(np.asarray(picture.convert("RGB")), TEXTURE)
    written = {"obj": ["face.mtl", "face.obj", "face.png"], "glb": ["face.glb"]}[ending]
    assert sorted(file.name for file in tmp_path.iterdir()) == written


@pytest.mark.parametrize("normals", [False, True])
@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_colors(ending: str, normals: bool, tmp_path: Path) -> None:
    colors = np.array([[0, 10, 250], [255, 3, 4], [9, 8, 7], [100, 200, 30]], np.uint8)
    directions = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [0.6, 0, 0.8]])
    mesh = square(colors=colors, normals=directions if normals else None)
    read = read_back(save_mesh(mesh, tmp_path / f"a.{ending}"))
    np.testing.assert_allclose(read.vertices, mesh.vertices)
    assert np.array_equal(read.faces, mesh.triangles)
    if ending == "glb":
        np.testing.assert_allclose(read.visual.vertex_attributes["color"], linear(colors), atol=1e-6)
    else:
        assert np.array_equal(read.visual.vertex_colors[:, :3], colors)
    if normals and ending != "ply":  # its reader keeps them in a raw table, see test_isosurface
        np.testing.assert_allclose(read.vertex_normals, directions, atol=1e-6)


def test_bare_mesh_and_coordinates_per_vertex(tmp_path: Path) -> None:
    for ending in ("obj", "ply", "glb"):
        read = read_back(save_mesh(square(), tmp_path / f"a.{ending}"))
        np.testing.assert_allclose(read.vertices, square().vertices)
    uv = np.array([[0.1, 0.2], [0.9, 0.1], [0.8, 1.0], [0.0, 0.7]])
    for ending in ("obj", "glb"):
        read = read_back(save_mesh(square(uv=uv, texture=TEXTURE), tmp_path / f"b.{ending}"))
        np.testing.assert_allclose(corners(read)[..., 3:], uv[square().triangles], atol=1e-6)


def test_picture_inside_a_glb_is_a_png(tmp_path: Path) -> None:
    content = save_mesh(textured(), tmp_path / "a.glb").read_bytes()
    start = content.index(b"\x89PNG")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content[start:]))), TEXTURE) and len(content) % 4 == 0


@pytest.mark.parametrize(
    ("mesh", "ending", "words"),
    [
        (square(), "stl", "expected it to end in .obj, .ply or .glb"),
        (textured(), "ply", "can hold none; use .obj or .glb"),
        (square(texture=TEXTURE), "glb", "without uv"),
        (square(colors=np.zeros((3, 3), np.uint8)), "ply", r"got colors of shape \(3, 3\), expected \(4, 3\)"),
        (square(colors=np.zeros((4, 3))), "ply", "got float64 colours, expected uint8"),
        (textured()._replace(uv_triangles=np.array([[0, 1, 6]] * 2)), "obj", "got uv_triangles 0..6, expected 0..5"),
        (textured()._replace(uv_triangles=np.array([[0, 1, 2]])), "obj", r"expected \(2, 3\) as triangles"),
        (textured()._replace(texture=TEXTURE / 255), "glb", "got float64 texture"),
        (square()._replace(triangles=np.array([[0.0, 1, 2]])), "obj", "expected integers"),
    ],
)
def test_mistakes_are_named(mesh: Mesh, ending: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        save_mesh(mesh, tmp_path / f"a.{ending}")
    assert not list(tmp_path.iterdir())
