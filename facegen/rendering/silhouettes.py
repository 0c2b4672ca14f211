"""Gradients of what is seen: pixels on either side of a silhouette are blended by where its edge runs between them."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegen.rendering import nvdiffrast_backend
from facegen.rendering import silhouette_definitions as definitions
from facegen.rendering.rasterization import Backend, Rasterization, check_mesh
from facegen.rendering.threads import bands, each


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
    across = edge_neighbors(triangles) if neighbors is None else neighbors
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

        found = _find(vertices, faces, across, triangle_id, depth)
        ctx.save_for_backward(images, vertices, faces, found)
        result = images.clone(memory_format=torch.contiguous_format)
        arrays = [x.detach().contiguous().numpy() for x in (found, images, result)]
        points, triangles = _pixels(vertices, images.shape[1:3]), faces.numpy()
        each(lambda i: blend_kernels.blend(points[i], triangles, *(x[i] for x in arrays)), range(len(images)))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from facegen.rendering import blend_kernels

        images, vertices, faces, found = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_images, to_vertices = gradient.clone(), torch.zeros_like(vertices, memory_format=torch.contiguous_format)
        arrays = [x.detach().contiguous().numpy() for x in (found, images, gradient, to_images, to_vertices)]
        points, triangles = _pixels(vertices, images.shape[1:3]), faces.numpy()
        each(
            lambda i: blend_kernels.blend_gradient(points[i], triangles, *(x[i] for x in arrays)),
            range(len(images)),
        )
        return to_images, to_vertices, None, None, None, None


def _pixels(vertices: Tensor, size: tuple[int, ...]) -> list[np.ndarray]:
    from facegen.rendering import kernels

    images = vertices.detach().contiguous().numpy()
    return each(lambda image: kernels.to_pixels(image, *size)[0], images)


def _find(vertices: Tensor, faces: Tensor, across: Tensor, triangle_id: Tensor, depth: Tensor) -> Tensor:
    from facegen.rendering import silhouette_kernels

    count, height, width = triangle_id.shape
    found = torch.empty(count, 2, height, width, dtype=torch.int32)
    points, mesh = _pixels(vertices, (height, width)), (faces.numpy(), across.numpy())
    arrays = [x.detach().contiguous().numpy() for x in (triangle_id, depth)]
    tasks = [(i, rows) for i in range(count) for rows in bands(height, count)]

    def strip(i: int, rows: tuple[int, int]) -> None:
        silhouette_kernels.find(points[i], *mesh, *(x[i] for x in arrays), rows, found[i].numpy())

    each(strip, *zip(*tasks, strict=True))
    return found
