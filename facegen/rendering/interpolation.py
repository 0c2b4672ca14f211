"""What the corners of the seen triangles carry, at every pixel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegen.rendering import definitions, nvdiffrast_backend
from facegen.rendering.rasterization import Backend, Rasterization
from facegen.rendering.threads import each


def interpolate(
    attributes: Float[Tensor, "*batch vertex channel"],
    rasterization: Rasterization,
    triangles: Int[Tensor, "face 3"],
    backend: Backend = "auto",
) -> Float[Tensor, "batch height width channel"]:
    """Attributes of (V, C) shared or (N, V, C) own vertices at every pixel; 0 where nothing is seen.

    Differentiable with respect to the attributes and, through the barycentric coordinates, to the vertices that were
    rasterised; not to visibility. `triangles` may index other rows than those rasterised, such as texture coordinates.
    """
    _check(attributes, rasterization)
    if nvdiffrast_backend.chosen(backend, attributes):
        return nvdiffrast_backend.interpolate(attributes, rasterization, triangles)
    weights = rasterization.barycentric.to(attributes.dtype)
    if attributes.device.type == "cpu" and attributes.dtype in (torch.float32, torch.float64):
        faces = triangles.to(torch.int32).contiguous()
        return _Interpolate.apply(attributes, weights, faces, rasterization.triangle_id)  # type: ignore[return-value]
    return definitions.interpolate(attributes, weights, triangles, rasterization.triangle_id)


def interpolate_derivatives(
    attributes: Float[Tensor, "*batch vertex channel"],
    rasterization: Rasterization,
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    attribute_triangles: Int[Tensor, "face 3"] | None = None,
) -> Float[Tensor, "batch height width channel 2"]:
    """How attributes change per pixel to the right and per pixel down, on the seen triangle; 0 where nothing is seen.

    `attribute_triangles` index the attributes where they have rows of their own, such as texture coordinates. With
    those in texels, the longer of the two columns says which level of a pyramid a texture should be read from.
    Differentiable to any order, in PyTorch on any device.
    """
    _check(attributes, rasterization)
    change = definitions.barycentric_derivatives(vertices_clip, triangles, rasterization.triangle_id)
    faces = triangles if attribute_triangles is None else attribute_triangles
    columns = [
        definitions.interpolate(attributes, change[..., axis].to(attributes.dtype), faces, rasterization.triangle_id)
        for axis in range(2)
    ]
    return torch.stack(columns, dim=-1)


def _check(attributes: Tensor, rasterization: Rasterization) -> None:
    images = len(rasterization.triangle_id)
    if attributes.ndim not in (2, 3) or (attributes.ndim == 3 and len(attributes) != images):
        got = f"{tuple(attributes.shape)} for {images} images"
        raise ValueError(f"interpolate: got attributes of shape {got}, expected (V, C) or ({images}, V, C)")


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attributes: Tensor, weights: Tensor, faces: Tensor, triangle_id: Tensor) -> Tensor:
        from facegen.rendering import gradient_kernels

        ctx.save_for_backward(attributes, weights, faces, triangle_id)
        result = weights.new_empty(*triangle_id.shape, attributes.shape[-1])
        inputs, out = _arrays(attributes, weights, faces, triangle_id), result.numpy()
        each(lambda i: gradient_kernels.interpolate(*inputs(i), out[i]), range(len(out)))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from facegen.rendering import gradient_kernels

        attributes, weights, _, triangle_id = ctx.saved_tensors
        count, gradient = len(triangle_id), gradients[0].contiguous().numpy()
        wanted = ctx.needs_input_grad  # an empty array tells the kernel that nobody asked
        to_attributes = attributes.new_zeros((count, *attributes.shape[-2:]) if wanted[0] else (count, 0, 0))
        to_weights = torch.zeros_like(weights) if wanted[1] else weights.new_zeros(count, 0, 0, 3)
        inputs, outputs = _arrays(*ctx.saved_tensors), [x.numpy() for x in (to_attributes, to_weights)]
        each(
            lambda i: gradient_kernels.interpolate_gradient(*inputs(i), gradient[i], *(out[i] for out in outputs)),
            range(count),
        )
        total = to_attributes if attributes.ndim == 3 else to_attributes.sum(dim=0)
        return total if wanted[0] else None, to_weights if wanted[1] else None, None, None


def _arrays(
    attributes: Tensor, weights: Tensor, faces: Tensor, triangle_id: Tensor
) -> Callable[[int], tuple[np.ndarray, ...]]:
    """What the kernels take of image i."""
    values, shares, ids = (x.detach().contiguous().numpy() for x in (attributes, weights, triangle_id))
    triangles = faces.numpy()
    return lambda i: (values if values.ndim == 2 else values[i], triangles, ids[i], shares[i])
