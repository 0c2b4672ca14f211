"""Which triangle is seen at which pixel, and what its corners carry there."""

from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Backend = Literal["auto", "cpu"]


class Rasterization(NamedTuple):
    """What a pixel centre sees. Row 0 is the top of the image, where clip-space y/w = 1."""

    triangle_id: Int[Tensor, "batch height width"]  # row of `triangles`, -1 where nothing is seen
    barycentric: Float[Tensor, "batch height width 3"]  # perspective-correct weights of the corners, 0 outside
    depth: Float[Tensor, "batch height width"]  # z/w in [-1, 1], 1 where nothing is seen


def _check(vertices_clip: Tensor, triangles: Tensor, backend: str) -> None:
    if vertices_clip.ndim != 3 or vertices_clip.shape[-1] != 4:
        raise ValueError(f"rasterize: got vertices of shape {tuple(vertices_clip.shape)}, expected (N, V, 4)")
    if triangles.ndim != 2 or triangles.shape[-1] != 3 or triangles.is_floating_point():
        raise ValueError(
            f"rasterize: got {triangles.dtype} triangles {tuple(triangles.shape)}, expected integer (F, 3)"
        )
    if len(triangles) and not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices_clip.shape[1]:
        got = f"{int(triangles.min())}..{int(triangles.max())}"
        raise ValueError(f"rasterize: got vertex indices {got}, expected 0..{vertices_clip.shape[1] - 1}")
    if backend not in ("auto", "cpu"):
        raise ValueError(f"rasterize: got backend {backend!r}, expected 'auto' or 'cpu'")
    if vertices_clip.device.type != "cpu":
        raise ValueError(f"rasterize: got vertices on {vertices_clip.device}, expected the CPU; call .cpu() first")


def rasterize_numpy(
    vertices_clip: np.ndarray, triangles: np.ndarray, size: tuple[int, int], cull: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One image of `rasterize`: (V, 4) float vertices and (F, 3) int32 triangles to arrays without a batch axis."""
    from facegen.rendering import kernels

    triangle_id = np.full(size, -1, np.int32)
    barycentric = np.zeros((*size, 3), np.float32)
    depth = np.ones(size, np.float32)
    kernels.rasterize(vertices_clip, triangles, cull, triangle_id, barycentric, depth)
    return triangle_id, barycentric, depth


def rasterize(
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    size: int | tuple[int, int],
    backend: Backend = "auto",
    *,
    cull: bool = False,
) -> Rasterization:
    """Find the nearest triangle at every pixel centre of images of `size` (side, or height and width).

    Vertices are in clip space (x right, y up, visible where |x|, |y|, |z| <= w). A triangle that crosses the camera's
    plane needs no clipping. At equal depth the triangle that comes first is seen. `cull` drops triangles that turn
    their clockwise side to the camera. Not differentiable. Images of a batch are drawn by torch.get_num_threads()
    threads; the result does not depend on them.
    """
    _check(vertices_clip, triangles, backend)
    shape = (size, size) if isinstance(size, int) else size
    vertices = vertices_clip.detach().contiguous().numpy()
    faces = triangles.to(torch.int32).contiguous().numpy()
    if len(vertices) == 0:
        return Rasterization(
            torch.zeros(0, *shape, dtype=torch.int32), torch.zeros(0, *shape, 3), torch.zeros(0, *shape)
        )
    with ThreadPoolExecutor(min(len(vertices), torch.get_num_threads())) as pool:
        images = list(pool.map(lambda one: rasterize_numpy(one, faces, shape, cull), vertices))
    return Rasterization(*(torch.from_numpy(np.stack(arrays)) for arrays in zip(*images, strict=True)))


def interpolate(
    attributes: Float[Tensor, "*batch vertex channel"], rasterization: Rasterization, triangles: Int[Tensor, "face 3"]
) -> Float[Tensor, "batch height width channel"]:
    """Attributes of (V, C) shared or (N, V, C) own vertices at every pixel; 0 where nothing is seen.

    Differentiable with respect to the attributes, not to visibility.
    """
    seen = rasterization.triangle_id >= 0
    corners = triangles.long()[rasterization.triangle_id.clamp(min=0).long()]
    if attributes.ndim == 2:
        values = attributes[corners]
    else:
        batch = torch.arange(len(corners), device=corners.device)[:, None, None, None]
        values = attributes[batch, corners]
    weights = torch.where(seen[..., None], rasterization.barycentric, 0).to(attributes.dtype)
    return (weights[..., None] * values).sum(dim=-2)
