"""Convolutions whose derivatives of every order are again fast convolutions.

PyTorch differentiates `conv2d` twice by treating the batch as channels and by looping over groups; for the kernels of
a GAN's regularisers that costs more than everything else together. Here the derivative of a convolution is the
transposed one, of which the derivative is the first again, and the weight gradient is bilinear in its arguments.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

Pair = tuple[int, int]

_CHANNEL_BLOCK = 16
_FEW_IMAGES = _FEW_CHANNELS = 16

_weights_wanted = ContextVar("weights_wanted", default=True)


@contextmanager
def input_gradients_only() -> Iterator[None]:
    """Inside, the backward pass of a convolution skips its weight gradient (a third of its work).

    For `torch.autograd.grad(..., inputs=<activations>)`, where PyTorch cannot tell a custom function that nobody asked
    for the weights. Higher derivatives, taken outside, are complete.
    """
    token = _weights_wanted.set(False)
    try:
        yield
    finally:
        _weights_wanted.reset(token)


def conv2d(x: Tensor, w: Tensor, stride: int = 1, padding: Pair = (0, 0), groups: int = 1) -> Tensor:
    """`torch.nn.functional.conv2d` without bias and dilation. x: (N, C, H, W); w: (O, C / groups, kh, kw)."""
    return _Conv2d.apply(x, w, stride, padding, groups)  # type: ignore[return-value]


def conv_transpose2d(
    x: Tensor, w: Tensor, stride: int = 1, padding: Pair = (0, 0), output_padding: Pair = (0, 0), groups: int = 1
) -> Tensor:
    """`torch.nn.functional.conv_transpose2d` without bias and dilation. w: (C, O / groups, kh, kw)."""
    return _ConvTranspose2d.apply(x, w, stride, padding, output_padding, groups)  # type: ignore[return-value]


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, stride: int, padding: Pair, groups: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.settings = stride, padding, groups
        if w.shape[2:] == (1, 1) and stride == 1 and padding == (0, 0) and groups == 1:
            return _pointwise(x, w)
        return F.conv2d(x, w, stride=stride, padding=padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, w = ctx.saved_tensors
        stride, padding, groups = ctx.settings
        grad_x = grad_w = None
        if ctx.needs_input_grad[0]:
            rest = _output_padding(x, gradient, w, stride, padding)
            grad_x = conv_transpose2d(gradient, w, stride, padding, rest, groups)
        if ctx.needs_input_grad[1] and _weights_wanted.get():
            grad_w = _conv2d_weight(x, gradient, w.shape, stride, padding, groups)
        return grad_x, grad_w, None, None, None


class _ConvTranspose2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, stride: int, padding: Pair, output_padding: Pair, groups: int
    ) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.settings = stride, padding, groups
        if w.shape[2:] == (1, 1) and stride == 1 and padding == output_padding == (0, 0) and groups == 1:
            return _pointwise(x, w.transpose(0, 1))
        return F.conv_transpose2d(x, w, stride=stride, padding=padding, output_padding=output_padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, w = ctx.saved_tensors
        stride, padding, groups = ctx.settings
        grad_x = conv2d(gradient, w, stride, padding, groups) if ctx.needs_input_grad[0] else None
        grad_w = None
        if ctx.needs_input_grad[1] and _weights_wanted.get():
            grad_w = _conv2d_weight(gradient, x, w.shape, stride, padding, groups)
        return grad_x, grad_w, None, None, None, None


class _Conv2dWeight(torch.autograd.Function):
    """Gradient of `sum(conv2d(x, w) * g)` with respect to w: linear in x and in g."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor, shape: torch.Size, stride: int, padding: Pair, groups: int) -> Tensor:
        ctx.save_for_backward(x, g)
        ctx.settings = stride, padding, groups
        return conv2d_weight(x, shape, g, stride, padding, groups=groups)  # type: ignore[arg-type]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, g = ctx.saved_tensors
        stride, padding, groups = ctx.settings
        grad_x = grad_g = None
        if ctx.needs_input_grad[0]:
            rest = _output_padding(x, g, gradient, stride, padding)
            grad_x = conv_transpose2d(g, gradient, stride, padding, rest, groups)
        if ctx.needs_input_grad[1]:
            grad_g = conv2d(x, gradient, stride, padding, groups)
        return grad_x, grad_g, None, None, None, None


def _pointwise(x: Tensor, w: Tensor) -> Tensor:
    """A 1x1 convolution. On a CPU bands of rows, which are views of channels-last images, count as images.

    PyTorch sends pointwise convolutions of fewer than 16 images on one thread down a path at half the speed (2 % of
    a training step at 64 pixels, batch 8).
    """
    batch, _, height, _ = x.shape
    bands = -(-_FEW_IMAGES // batch) if batch else 1
    is_view = x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last)
    if bands == 1 or height % bands or not is_view or min(w.shape[:2]) < _FEW_CHANNELS:
        return F.conv2d(x, w)
    y = F.conv2d(x.unflatten(2, (bands, -1)).transpose(1, 2).flatten(0, 1), w)
    y = y.unflatten(0, (batch, bands)).transpose(1, 2).flatten(2, 3)
    # The same memory, but no view: a view could not be written to in place after leaving a custom function.
    return y.new_empty(0).set_(y.untyped_storage(), y.storage_offset(), y.shape, y.stride())


def _conv2d_weight(x: Tensor, g: Tensor, shape: torch.Size, stride: int, padding: Pair, groups: int) -> Tensor:
    return _Conv2dWeight.apply(x, g, shape, stride, padding, groups)  # type: ignore[return-value]


def _output_padding(x: Tensor, gradient: Tensor, w: Tensor, stride: int, padding: Pair) -> Pair:
    """Rows and columns that a strided convolution did not reach."""
    sizes = [
        x.shape[2 + axis] - ((gradient.shape[2 + axis] - 1) * stride - 2 * padding[axis] + w.shape[2 + axis])
        for axis in (0, 1)
    ]
    return sizes[0], sizes[1]


def fir(x: Tensor, kernel: Tensor, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Tensor:
    """Correlate every channel with one constant kernel (kh, kw). Pairs are (y, x); the kernel gets no gradient."""
    return _as_channels(x, lambda y: _Fir.apply(y, kernel, stride, padding))


def fir_transposed(
    x: Tensor, kernel: Tensor, stride: Pair = (1, 1), padding: Pair = (0, 0), output_padding: Pair = (0, 0)
) -> Tensor:
    """The adjoint of `fir`: insert zeros by `stride` and convolve every channel with the kernel."""
    return _as_channels(x, lambda y: _FirTransposed.apply(y, kernel, stride, padding, output_padding))


def _as_channels(x: Tensor, function: Callable[[Tensor], Any]) -> Tensor:
    """Apply a per-channel function to few channels as if all samples were channels of one image.

    Depthwise convolutions of a CPU work on blocks of channels: with three of them they are eight times slower.
    """
    if x.shape[1] >= _CHANNEL_BLOCK or x.shape[0] == 1 or x.is_cuda:
        return function(x)
    return function(x.reshape(1, -1, *x.shape[2:])).unflatten(1, (x.shape[0], -1)).squeeze(0)


def leaky_relu(x: Tensor, slope: float, inplace: bool = False) -> Tensor:
    """`max(x, slope x)` for 0 <= slope < 1. Piecewise linear: its second derivative is zero and is not computed."""
    return _LeakyRelu.apply(x, slope, inplace)  # type: ignore[return-value]


class _LeakyRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, inplace: bool) -> Tensor:
        y = F.leaky_relu(x, slope, inplace)
        if inplace:
            ctx.mark_dirty(x)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _LeakyReluSlope.apply(gradients[0], y.detach(), ctx.slope), None, None  # type: ignore[return-value]


class _LeakyReluSlope(torch.autograd.Function):
    """Multiply by the slope that the sign of y chose: linear in the gradient, constant in y."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, y: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(y)
        ctx.slope = slope
        return torch.ops.aten.leaky_relu_backward(gradient, y, slope, True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _LeakyReluSlope.apply(gradients[0], y, ctx.slope), None, None  # type: ignore[return-value]


class _Fir(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.settings = stride, padding, x.shape[2:]
        weight = kernel.expand(x.shape[1], 1, -1, -1)
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (kernel,) = ctx.saved_tensors
        stride, padding, size = ctx.settings
        rest_y, rest_x = (
            size[i] - ((gradient.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + kernel.shape[i]) for i in (0, 1)
        )
        return fir_transposed(gradient, kernel, stride, padding, (rest_y, rest_x)), None, None, None


class _FirTransposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: Pair, padding: Pair, output_padding: Pair) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.settings = stride, padding
        weight = kernel.expand(x.shape[1], 1, -1, -1)
        return F.conv_transpose2d(
            x, weight, stride=stride, padding=padding, output_padding=output_padding, groups=x.shape[1]
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (kernel,) = ctx.saved_tensors
        stride, padding = ctx.settings
        return fir(gradient, kernel, stride, padding), None, None, None, None
