"""Gradients of what is seen: pixels on either side of a silhouette are blended by where its edge runs between them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegen.rendering import nvdiffrast_backend
from facegen.rendering import silhouette_definitions as definitions
from facegen.rendering.rasterization import Backend, Rasterization, check_mesh
from facegen.rendering.threads import each


def edge_neighbors(triangles: Int[Tensor, "face 3"]) -> Int[Tensor, "face 3"]:
    """What lies across each edge of a mesh, for `antialias`: 3 f + k for the edge opposite corner k of triangle f, -1
    at a border."""
    if triangles.device.type != "cpu" or len(triangles) == 0:
        return definitions.neighbors(triangles)
    from facegen.rendering import silhouette_kernels

    faces = triangles.to(torch.int32).contiguous().numpy()
    return torch.from_numpy(silhouette_kernels.neighbors(faces, int(faces.max()) + 1))


def antialias(
    images: Float[Tensor, "batch height width channel"],
    rasterization: Rasterization,
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    neighbors: Int[Tensor, "face 3"] | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "batch height width channel"]:
    """Blend pixels across the silhouettes that run between them, so that vertices there get gradients.

    After Laine et al. (Modular Primitives for High-Performance Differentiable Rendering, 2020), section 3.5, with two
    differences. The silhouette is searched by walking over the surface from the pixel that sees it towards its
    neighbour, so it is found however many triangles lie between (there: the pixel's own triangle only, which misses
    nearly all where triangles are small). And an edge counts for rows and columns by its squared normal (there: for
    one of them). The sum over pixels of the gradient is that of the area that the surface covers.

    `images` are what was drawn from this rasterization, background included. `neighbors` are `edge_neighbors` of
    these triangles, which a caller with one mesh computes once. Discontinuities where surfaces cut through each other
    get no gradient. "nvdiffrast" asks for that package's own blending; "auto" is ours on any device.
    """
    check_mesh(vertices_clip, triangles, "antialias")
    if images.shape[:3] != rasterization.triangle_id.shape:
        got, expected = tuple(images.shape), tuple(rasterization.triangle_id.shape)
        raise ValueError(f"antialias: got images of shape {got}, expected {(*expected, 'C')}; channels are last")
    if nvdiffrast_backend.chosen(backend, images) and backend == "nvdiffrast":
        return nvdiffrast_backend.antialias(images, rasterization, vertices_clip, triangles)
    across = edge_neighbors(triangles) if neighbors is None else neighbors.to(triangles.device)
    if images.device.type == "cpu" and images.dtype in (torch.float32, torch.float64):
        mesh = (triangles.to(torch.int32).contiguous(), across.to(torch.int32).contiguous())
        return _Antialias.apply(images, vertices_clip, *mesh, *rasterization[::2])  # type: ignore[return-value]
    height, width = images.shape[1:3]
    points = definitions.to_pixels(vertices_clip, (height, width))
    found = definitions.find(
        points.detach().double(), triangles, across, rasterization.triangle_id, rasterization.depth
    )
    return definitions.blend(images, points, triangles, found)


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, vertices: Tensor, faces: Tensor, across: Tensor, triangle_id: Tensor, depth: Tensor
    ) -> Tensor:
        from facegen.rendering import blend_kernels

        found = find_silhouettes(vertices, faces, across, triangle_id, depth)
        ctx.save_for_backward(images, vertices, faces, found)
        result = images.clone(memory_format=torch.contiguous_format)
        inputs, out = _arrays(images, vertices, faces, found), result.numpy()
        each(lambda i: blend_kernels.blend(*inputs(i), out[i]), range(len(images)))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from facegen.rendering import blend_kernels

        gradient, inputs = gradients[0].contiguous(), _arrays(*ctx.saved_tensors)
        to_images = gradient.clone()
        to_vertices = torch.zeros_like(ctx.saved_tensors[1], memory_format=torch.contiguous_format)
        arrays = [x.numpy() for x in (gradient, to_images, to_vertices)]
        each(lambda i: blend_kernels.blend_gradient(*inputs(i), *(x[i] for x in arrays)), range(len(gradient)))
        return to_images, to_vertices, None, None, None, None


def find_silhouettes(
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    neighbors: Int[Tensor, "face 3"],
    triangle_id: Int[Tensor, "batch height width"],
    depth: Float[Tensor, "batch height width"],
) -> Int[Tensor, "batch 2 height width"]:
    """The edges at which surfaces end between pixels, on a CPU; see `silhouette_definitions.find`."""
    from facegen.rendering import kernels, silhouette_kernels

    count, height, width = triangle_id.shape
    found = torch.empty(count, 2, height, width, dtype=torch.int32)
    points, *arrays = (x.detach().contiguous().numpy() for x in (vertices_clip, triangle_id, depth, found))
    mesh = triangles.numpy(), neighbors.numpy()

    def search(i: int) -> None:
        silhouette_kernels.find(*kernels.to_pixels(points[i], height, width), *mesh, *(x[i] for x in arrays))

    each(search, range(count))
    return found


def _arrays(images: Tensor, vertices: Tensor, faces: Tensor, found: Tensor) -> Callable[[int], tuple[np.ndarray, ...]]:
    """What the blending kernels take of image i."""
    from facegen.rendering import kernels

    size = images.shape[1:3]
    colors, points, edges = (x.detach().contiguous().numpy() for x in (images, vertices, found))
    triangles = faces.numpy()
    return lambda i: (kernels.to_pixels(points[i], *size)[0], triangles, edges[i], colors[i])
