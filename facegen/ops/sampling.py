"""Bilinear sampling of images at given places, differentiable any number of times with respect to the image."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BILINEAR, _ZEROS = 0, 0  # the codes of PyTorch's kernel


class _Sample(torch.autograd.Function):
    """Sampling is linear in the image: its derivative is the transpose, and the derivative of that is sampling again.

    R1 through augmented images needs the second; whether PyTorch has one of its own depends on its version
    (2.5 has none, 2.13 has).
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = image.shape
        return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grid,) = ctx.saved_tensors
        return _SampleTransposed.apply(grads[0], grid, ctx.size), None


class _SampleTransposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        # The kernel wants an image for its shape alone: without the gradient of the grid its values are not read.
        image = grad.new_zeros([1]).expand(size)
        mask = [True, False]
        backward = torch.ops.aten.grid_sampler_2d_backward
        return backward(grad, image, grid, _BILINEAR, _ZEROS, False, output_mask=mask)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(grads[0], grid), None, None


def grid_sample(image: Tensor, grid: Tensor) -> Tensor:
    """Sample image (N, C, H, W) at grid (N, H', W', 2) of (x, y) in [-1, 1] from edge to edge; zero outside.

    No gradient flows to `grid`.
    """
    if grid.requires_grad:
        raise ValueError("grid_sample: got a grid that requires a gradient, expected a detached one")
    return _Sample.apply(image, grid.to(image.dtype))  # pyright: ignore[reportReturnType]
