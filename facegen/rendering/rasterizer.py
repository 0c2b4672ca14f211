"""Which triangle is seen at which pixel, and where on it."""

import sys
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegen.rendering import nvdiffrast_backend
from facegen.rendering.definitions import barycentric_at
from facegen.rendering.interpolation import interpolate
from facegen.rendering.rasterization import Backend, Rasterization, check_mesh
from facegen.rendering.silhouettes import antialias
from facegen.rendering.threads import each

__all__ = ["Rasterization", "antialias", "interpolate", "rasterize", "rasterize_numpy"]

Size = tuple[int, int]


def rasterize_numpy(
    vertices_clip: np.ndarray, triangles: np.ndarray, size: Size, cull: bool = False
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
    size: int | Size,
    backend: Backend = "auto",
    *,
    cull: bool = False,
) -> Rasterization:
    """Find the nearest triangle at every pixel centre of images of `size` (side, or height and width).

    Vertices are in clip space (x right, y up, visible where |x|, |y|, |z| <= w), float32 or float64. A triangle that
    crosses the camera's plane needs no clipping. At equal depth the triangle that comes first is seen. `cull` drops
    triangles that turn their clockwise side to the camera.

    Barycentric coordinates and depth are differentiable with respect to the vertices (once); which triangle is seen is
    not: see `antialias`. On a CPU, torch.get_num_threads() threads share the images; the result does not depend on
    them. "auto" takes nvdiffrast for CUDA tensors where it is installed; without it, only the search for triangles is
    done on the CPU.
    """
    check_mesh(vertices_clip, triangles, "rasterize")
    shape = (size, size) if isinstance(size, int) else size
    if nvdiffrast_backend.chosen(backend, vertices_clip):
        return nvdiffrast_backend.rasterize(vertices_clip, triangles, shape, cull)
    faces = triangles.to("cpu", torch.int32).contiguous()
    if vertices_clip.device.type == "cpu":
        return Rasterization(*_Rasterize.apply(vertices_clip, faces, shape, cull))  # type: ignore[misc]
    _say_where()
    triangle_id = _draw(vertices_clip.detach().cpu(), faces, shape, cull)[0].to(vertices_clip.device)
    return Rasterization(triangle_id, *barycentric_at(vertices_clip, triangles, triangle_id))


@cache
def _say_where() -> None:
    print("rendering: without nvdiffrast, what a GPU shall draw is searched for on the CPU", file=sys.stderr)


def _draw(vertices: Tensor, faces: Tensor, size: Size, cull: bool) -> tuple[Tensor, Tensor, Tensor]:
    from facegen.rendering import kernels

    count = len(vertices)
    triangle_id = torch.full((count, *size), -1, dtype=torch.int32)
    barycentric = torch.zeros(count, *size, 3, dtype=vertices.dtype)
    depth = torch.ones(count, *size, dtype=vertices.dtype)
    triangles, buffers = faces.numpy(), [x.numpy() for x in (triangle_id, barycentric, depth)]

    images = vertices.contiguous().numpy()
    each(lambda i: kernels.rasterize(images[i], triangles, cull, *(buffer[i] for buffer in buffers)), range(count))
    return triangle_id, barycentric, depth


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Tensor, size: Size, cull: bool) -> tuple[Tensor, Tensor, Tensor]:
        triangle_id, barycentric, depth = _draw(vertices, faces, size, cull)
        ctx.save_for_backward(vertices, faces, triangle_id)
        ctx.mark_non_differentiable(triangle_id)
        return triangle_id, barycentric, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from facegen.rendering import gradient_kernels, kernels

        vertices, faces, triangle_id = ctx.saved_tensors
        result = torch.zeros_like(vertices, memory_format=torch.contiguous_format)
        arrays = [x.contiguous().numpy() for x in (triangle_id, *gradients[1:], result)]
        points, triangles, size = vertices.contiguous().numpy(), faces.numpy(), triangle_id.shape[1:]

        def pull(i: int) -> None:
            corners, _ = kernels.to_pixels(points[i], *size)
            gradient_kernels.barycentric_gradient(corners, triangles, *(x[i] for x in arrays))

        each(pull, range(len(points)))
        return result, None, None, None
