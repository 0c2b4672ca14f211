"""What rasterising a mesh gives, and what it needs."""

from typing import Literal, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

Backend = Literal["auto", "cpu", "nvdiffrast"]
BACKENDS = ("auto", "cpu", "nvdiffrast")


class Rasterization(NamedTuple):
    """What a pixel centre sees. Row 0 is the top of the image, where clip-space y/w = 1."""

    triangle_id: Int[Tensor, "batch height width"]  # row of `triangles`, -1 where nothing is seen
    barycentric: Float[Tensor, "batch height width 3"]  # perspective-correct weights of the corners, 0 outside
    depth: Float[Tensor, "batch height width"]  # z/w in [-1, 1], 1 where nothing is seen


def check_mesh(vertices_clip: Tensor, triangles: Tensor, what: str) -> None:
    """ValueError unless these are (N, V, 4) vertices and (F, 3) indices of them."""
    if vertices_clip.ndim != 3 or vertices_clip.shape[-1] != 4:
        raise ValueError(f"{what}: got vertices of shape {tuple(vertices_clip.shape)}, expected (N, V, 4)")
    if triangles.ndim != 2 or triangles.shape[-1] != 3 or triangles.is_floating_point():
        raise ValueError(f"{what}: got {triangles.dtype} triangles {tuple(triangles.shape)}, expected integer (F, 3)")
    low, high = (int(x) for x in triangles.aminmax()) if len(triangles) else (0, -1)
    if low < 0 or high >= vertices_clip.shape[1]:
        raise ValueError(f"{what}: got vertex indices {low}..{high}, expected 0..{vertices_clip.shape[1] - 1}")
