"""Triangle meshes with what files can hold of them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8


class Mesh(NamedTuple):
    """Vertices and counter-clockwise triangles; colours and textures as in pictures (sRGB).

    A texture needs `uv`: coordinates in [0, 1] with v up, so that (0, 1) is the upper left corner of the texture.
    `uv_triangles` says which of them each corner has; None: `uv` has one row per vertex.
    """

    vertices: Float[np.ndarray, "vertex 3"]
    triangles: Int[np.ndarray, "face 3"]
    normals: Float[np.ndarray, "vertex 3"] | None = None  # unit length
    colors: UInt8[np.ndarray, "vertex 3"] | None = None
    uv: Float[np.ndarray, "point 2"] | None = None
    uv_triangles: Int[np.ndarray, "face 3"] | None = None
    texture: UInt8[np.ndarray, "height width 3"] | None = None

    @property
    def chart(self) -> Int[np.ndarray, "face 3"]:
        """Rows of `uv` of the triangles' corners."""
        return self.triangles if self.uv_triangles is None else self.uv_triangles


def check(mesh: Mesh) -> None:
    """Raise ValueError where a mesh does not fit together."""
    count, faces = len(mesh.vertices), len(mesh.triangles)
    _indices("triangles", mesh.triangles, count)
    for name in ("normals", "colors"):
        column = getattr(mesh, name)
        if column is not None and column.shape != (count, 3):
            raise ValueError(f"mesh: got {name} of shape {column.shape}, expected ({count}, 3) as there are vertices")
    if mesh.colors is not None and mesh.colors.dtype != np.uint8:
        raise ValueError(f"mesh: got {mesh.colors.dtype} colours, expected uint8")
    if mesh.uv is None:
        if mesh.texture is not None or mesh.uv_triangles is not None:
            raise ValueError("mesh: got a texture or uv_triangles without uv, expected coordinates in [0, 1]; give uv")
        return
    if mesh.chart.shape != (faces, 3):
        raise ValueError(f"mesh: got uv_triangles of shape {mesh.chart.shape}, expected ({faces}, 3) as triangles")
    _indices("uv_triangles", mesh.chart, len(mesh.uv))
    if mesh.texture is not None and (mesh.texture.ndim != 3 or mesh.texture.dtype != np.uint8):
        got = f"{mesh.texture.dtype} texture of shape {mesh.texture.shape}"
        raise ValueError(f"mesh: got {got}, expected uint8 (H, W, 3)")


def one_index(mesh: Mesh) -> Mesh:
    """The same mesh with vertices doubled along seams, so that `uv` has one row per vertex, as glTF wants it."""
    if mesh.uv is None or mesh.uv_triangles is None:
        return mesh
    pairs = np.stack([mesh.triangles, mesh.uv_triangles], axis=-1).reshape(-1, 2)
    kept, place = np.unique(pairs, axis=0, return_inverse=True)
    vertex, point = kept.T
    normals, colors = (None if column is None else column[vertex] for column in (mesh.normals, mesh.colors))
    triangles = place.reshape(-1, 3).astype(np.int32)
    return Mesh(mesh.vertices[vertex], triangles, normals, colors, mesh.uv[point], None, mesh.texture)


def _indices(name: str, triangles: np.ndarray, count: int) -> None:
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        got = f"{triangles.dtype} {name} of shape {triangles.shape}"
        raise ValueError(f"mesh: got {got}, expected integers (F, 3)")
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < count:
        raise ValueError(f"mesh: got {name} {triangles.min()}..{triangles.max()}, expected 0..{count - 1}")
