"""Convolution with resampling, and convolution modulated by styles (StyleGAN2, Karras et al. 2020, section 2.2)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.ops.differentiable import conv2d, conv_transpose2d
from facegen.ops.fir import downsampling_padding, parse_padding, upfirdn2d, upsampling_padding


def _convolve(
    x: Tensor, w: Tensor, stride: int = 1, padding: tuple[int, int] = (0, 0), groups: int = 1, flip_weight: bool = True
) -> Tensor:
    pointwise = w.shape[2:] == (1, 1)
    return conv2d(x, w if flip_weight or pointwise else w.flip([2, 3]), stride, padding, groups)


def _convolve_transposed(
    x: Tensor, w: Tensor, stride: int, padding: tuple[int, int], groups: int, flip: bool
) -> Tensor:
    # A transposed convolution is a true convolution of the zero-inserted image, so correlation needs the mirror.
    if flip:
        w = w.flip([2, 3])
    w = w.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1) if groups > 1 else w.transpose(0, 1)
    return conv_transpose2d(x, w, stride, padding, groups=groups)


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Upsample by `up`, convolve, downsample by `down`, with the low-pass filter `f` where the rate changes.

    x: (N, C, H, W); w: (O, C / groups, kh, kw). `padding` counts in the upsampled image and is applied once.
    `flip_weight=True` correlates (as `conv2d` does), `False` convolves with the mirrored kernel.
    The order of the steps is chosen so that filters run where there are fewest samples.
    """
    kernel_height, kernel_width = w.shape[2:]
    left, right, top, bottom = parse_padding(padding)
    if up > 1:
        extra = upsampling_padding(f, up, up)
        left, right, top, bottom = left + extra[0], right + extra[1], top + extra[2], bottom + extra[3]
    if down > 1:
        extra = downsampling_padding(f, down, down)
        left, right, top, bottom = left + extra[0], right + extra[1], top + extra[2], bottom + extra[3]
    pads = (left, right, top, bottom)
    pointwise = kernel_width == 1 and kernel_height == 1

    if pointwise and down > 1 and up == 1:
        x = upfirdn2d(x, f, down=down, padding=pads, flip_filter=flip_filter)
        return _convolve(x, w, groups=groups)
    if pointwise and up > 1 and down == 1:
        x = _convolve(x, w, groups=groups)
        return upfirdn2d(x, f, up=up, padding=pads, gain=up**2, flip_filter=flip_filter)
    if down > 1 and up == 1:
        x = upfirdn2d(x, f, padding=pads, flip_filter=flip_filter)
        return _convolve(x, w, stride=down, groups=groups, flip_weight=flip_weight)
    if up > 1:
        left, right = left - (kernel_width - 1), right - (kernel_width - up)
        top, bottom = top - (kernel_height - 1), bottom - (kernel_height - up)
        crop_x, crop_y = max(min(-left, -right), 0), max(min(-top, -bottom), 0)
        x = _convolve_transposed(x, w, up, (crop_y, crop_x), groups, flip_weight)
        rest = (left + crop_x, right + crop_x, top + crop_y, bottom + crop_y)
        x = upfirdn2d(x, f, padding=rest, gain=up**2, flip_filter=flip_filter)
        return upfirdn2d(x, f, down=down, flip_filter=flip_filter) if down > 1 else x
    if left == right and top == bottom and left >= 0 and top >= 0:
        return _convolve(x, w, padding=(top, left), groups=groups, flip_weight=flip_weight)
    return _convolve(F.pad(x, pads), w, groups=groups, flip_weight=flip_weight)


def _normalize_for_half(weight: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
    """Scale weight and styles so that float16 cannot overflow; demodulation undoes it."""
    fan_in = weight[0].numel()
    weight = weight / (weight.norm(float("inf"), dim=[1, 2, 3], keepdim=True) * fan_in**0.5)
    return weight, styles / styles.norm(float("inf"), dim=1, keepdim=True)


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Factors (N, O) that bring each modulated kernel to unit norm: `rsqrt(sum (w s)^2 + 1e-8)`.

    The sum over kernel taps does not see the styles, so it is a matrix product of squares; no (N, O, I, kh, kw)
    array of per-sample kernels is made.
    """
    return torch.rsqrt(styles.square() @ weight.square().sum([2, 3]).t() + 1e-8)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
    fused_modconv: bool = False,
    gain: float = 1,
) -> Tensor:
    """Convolve every sample with its own kernel `weight * styles`, normalised when `demodulate`; then add `noise`.

    x: (N, I, H, W); weight: (O, I, kh, kw); styles: (N, I); noise broadcasts against (N, O, H', W').
    `gain` multiplies the convolution, not the noise. By default the activations are scaled before and after one shared
    convolution, which is the same function; `fused_modconv` makes per-sample kernels and a grouped convolution instead.
    """
    batch = x.shape[0]
    if x.dtype == torch.float16 and demodulate:
        weight, styles = _normalize_for_half(weight, styles)
    scale = demodulation(weight, styles) if demodulate else None
    if gain != 1:
        scale = styles.new_full([1, 1], gain) if scale is None else scale * gain
    if fused_modconv:
        kernels = weight * styles[:, None, :, None, None]
        if scale is not None:
            kernels = kernels * scale[:, :, None, None, None]
        x = x.reshape(1, -1, *x.shape[2:])
        kernels = kernels.flatten(0, 1).to(x.dtype)
        x = conv2d_resample(x, kernels, resample_filter, up, down, padding, groups=batch, flip_weight=flip_weight)
        x = x.reshape(batch, -1, *x.shape[2:])
        return x if noise is None else x + noise.to(x.dtype)

    x = x * styles[:, :, None, None].to(x.dtype)
    x = conv2d_resample(x, weight.to(x.dtype), resample_filter, up, down, padding, flip_weight=flip_weight)
    if scale is None:
        return x if noise is None else x + noise.to(x.dtype)
    scale = scale[:, :, None, None].to(x.dtype)
    return x * scale if noise is None else torch.addcmul(noise.to(x.dtype), x, scale)
