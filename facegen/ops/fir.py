"""Upsample, FIR-filter and downsample images (StyleGAN2, Karras et al. 2020; the filters of Karras et al. 2021).

One definition in stock PyTorch: a depthwise convolution, whose derivatives are depthwise convolutions again.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.ops.differentiable import fir, fir_transposed

_SEPARABLE_FROM = 8  # taps: shorter 1-D filters are faster as their outer product


def _pair(value: int | Sequence[int], name: str) -> tuple[int, int]:
    x, y = (value, value) if isinstance(value, int) else value
    if x < 1 or y < 1:
        raise ValueError(f"upfirdn2d: got {name}={value}, expected factors of at least 1")
    return x, y


def parse_padding(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Spell padding out as (left, right, top, bottom); two numbers mean (x, y), negative ones crop."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 2:
        x, y = padding
        return x, x, y, y
    left, right, top, bottom = padding
    return left, right, top, bottom


def filter_size(f: Tensor | None) -> tuple[int, int]:
    """Width and height of a filter in taps."""
    return (1, 1) if f is None else (f.shape[-1], f.shape[0])


def setup_filter(
    f: Tensor | np.ndarray | Sequence[float] | float | None,
    device: torch.device | str = "cpu",
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1,
    separable: bool | None = None,
) -> Tensor:
    """Make a float32 FIR filter of shape (taps,) or (height, width); `None` is the identity.

    A 1-D filter stays 1-D when `separable`, by default from 8 taps on. `gain` counts for the 2-D result.
    """
    taps = torch.as_tensor(1.0 if f is None else f, dtype=torch.float32).clone()
    if taps.ndim > 2 or taps.numel() == 0:
        raise ValueError(f"setup_filter: got shape {tuple(taps.shape)}, expected a scalar, (taps,) or (height, width)")
    if taps.ndim == 0:
        taps = taps[None]
    if separable is None:
        separable = taps.ndim == 1 and taps.numel() >= _SEPARABLE_FROM
    if taps.ndim == 1 and not separable:
        taps = torch.outer(taps, taps)
    if normalize:
        taps = taps / taps.sum()
    if flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    return (taps * gain ** (taps.ndim / 2)).to(device)


def _shared_padding(pads: tuple[int, int, int, int]) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Split paddings into what both sides share, as (y, x), which a convolution does by itself, and the rest."""
    left, right, top, bottom = pads
    x, y = max(min(left, right), 0), max(min(top, bottom), 0)
    return (y, x), (left - x, right - x, top - y, bottom - y)


def _pad(x: Tensor, pads: tuple[int, int, int, int]) -> Tensor:
    return F.pad(x, pads) if any(pads) else x


def _resample(
    x: Tensor, f: Tensor, up: tuple[int, int], down: tuple[int, int], pads: tuple[int, int, int, int]
) -> Tensor:
    """Insert zeros, pad, correlate with `f` (kh, kw), subsample. `up` and `down` are (y, x)."""
    if up == (1, 1):
        shared, rest = _shared_padding(pads)
        return fir(_pad(x, rest), f, down, shared)
    # Correlating the zero-inserted image is a transposed convolution with the mirrored kernel, which reaches
    # kernel - 1 samples beyond it on the left and kernel - up on the right.
    left, right, top, bottom = pads
    height, width = f.shape
    crops = (width - 1 - left, width - up[1] - right, height - 1 - top, height - up[0] - bottom)
    shared, rest = _shared_padding(crops)
    y = fir_transposed(x, f.flip([0, 1]), up, shared)
    y = _pad(y, (-rest[0], -rest[1], -rest[2], -rest[3]))
    return y if down == (1, 1) else y[:, :, :: down[0], :: down[1]]


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Insert zeros, pad or crop, filter, and keep every `down`-th sample.

    x: (N, C, H, W). `up` and `down` are (x, y); `padding` counts in the upsampled image.
    The filter is convolved (mirrored) unless `flip_filter`.
    """
    if x.ndim != 4:
        raise ValueError(f"upfirdn2d: got an input of shape {tuple(x.shape)}, expected (N, C, H, W)")
    up_x, up_y = _pair(up, "up")
    down_x, down_y = _pair(down, "down")
    pads = parse_padding(padding)
    taps = torch.ones([1, 1], device=x.device) if f is None else f
    if gain != 1:
        taps = taps * gain ** (taps.ndim / 2)
    if not flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    taps = taps.to(x.dtype)
    left, right, top, bottom = pads
    if taps.ndim == 2:
        return _resample(x, taps, (up_y, up_x), (down_y, down_x), pads)
    x = _resample(x, taps[None, :], (1, up_x), (1, down_x), (left, right, 0, 0))
    return _resample(x, taps[:, None], (up_y, 1), (down_y, 1), (0, 0, top, bottom))


def filter2d(
    x: Tensor, f: Tensor | None, padding: int | Sequence[int] = 0, flip_filter: bool = False, gain: float = 1
) -> Tensor:
    """Filter and keep the size, apart from `padding`."""
    left, right, top, bottom = parse_padding(padding)
    width, height = filter_size(f)
    pads = (left + width // 2, right + (width - 1) // 2, top + height // 2, bottom + (height - 1) // 2)
    return upfirdn2d(x, f, padding=pads, flip_filter=flip_filter, gain=gain)


def upsampling_padding(f: Tensor | None, up_x: int, up_y: int) -> tuple[int, int, int, int]:
    """Padding that centres the filter on an image upsampled by zero insertion."""
    width, height = filter_size(f)
    return (width + up_x - 1) // 2, (width - up_x) // 2, (height + up_y - 1) // 2, (height - up_y) // 2


def downsampling_padding(f: Tensor | None, down_x: int, down_y: int) -> tuple[int, int, int, int]:
    """Padding that centres the filter on the samples that downsampling keeps."""
    width, height = filter_size(f)
    return (width - down_x + 1) // 2, (width - down_x) // 2, (height - down_y + 1) // 2, (height - down_y) // 2


def upsample2d(
    x: Tensor,
    f: Tensor | None,
    up: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Upsample by `up`, keeping the brightness."""
    up_x, up_y = _pair(up, "up")
    centred = upsampling_padding(f, up_x, up_y)
    pads = [a + b for a, b in zip(parse_padding(padding), centred, strict=True)]
    return upfirdn2d(x, f, up=(up_x, up_y), padding=pads, flip_filter=flip_filter, gain=gain * up_x * up_y)


def downsample2d(
    x: Tensor,
    f: Tensor | None,
    down: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Filter and downsample by `down`."""
    down_x, down_y = _pair(down, "down")
    centred = downsampling_padding(f, down_x, down_y)
    pads = [a + b for a, b in zip(parse_padding(padding), centred, strict=True)]
    return upfirdn2d(x, f, down=(down_x, down_y), padding=pads, flip_filter=flip_filter, gain=gain)
