"""A window of a resized image, pixel for pixel what Pillow's resize and crop give, without making the whole one.

A face is a small part of a photograph: of a small one, enlarged, the whole would take gigabytes. Pillow rounds between
the axes; here, as in the Pillow of the published crops, the width comes first (13 takes some tall pictures otherwise).
"""

import numpy as np
from jaxtyping import Float, Int, UInt8

_SUPPORT = 2.0  # bicubic: pixels to each side, at the coarser of both resolutions
_CUBIC = -0.5  # Pillow's parameter of the Keys (1981) kernel
_FRACTION_BITS = 22  # Pillow's weights of 8-bit images are integers of this many fractional bits

Box = tuple[int, int, int, int]
Picture = UInt8[np.ndarray, "height width *channels"]


def resized_window(image: Picture, size: tuple[int, int], box: Box) -> Picture:
    """The pixels `box` (left, upper, right, lower) of `image` resized bicubically to `size` (width, height).

    What lies outside the resized image is 0.
    """
    (left, right), (upper, lower) = (_inside(box[axis::2], size[axis]) for axis in (0, 1))
    window = np.zeros((box[3] - box[1], box[2] - box[0], *image.shape[2:]), np.uint8)
    if left < right and upper < lower:
        across, down = _taps(image.shape[1], size[0], left, right), _taps(image.shape[0], size[1], upper, lower)
        first = down[0].min()  # of the rows that are needed
        rows = _filtered(np.swapaxes(image[first : down[0].max() + 1], 0, 1), *across)
        filled = _filtered(np.swapaxes(rows, 0, 1), down[0] - first, down[1])
        window[upper - box[1] : lower - box[1], left - box[0] : right - box[0]] = filled
    return window


def _inside(interval: tuple[int, ...], length: int) -> tuple[int, int]:
    return min(max(interval[0], 0), length), min(max(interval[1], 0), length)


def _taps(
    length: int, resized: int, start: int, stop: int
) -> tuple[Int[np.ndarray, "tap window"], Int[np.ndarray, "tap window"]]:
    """Source positions and integer weights of the outputs `start` to `stop` of an axis of `length` made `resized`."""
    step = length / resized
    spread = max(step, 1.0)
    centre = (np.arange(start, stop) + 0.5) * step
    first = np.maximum((centre - _SUPPORT * spread + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + _SUPPORT * spread + 0.5).astype(np.int64), length)
    at = first + np.arange((end - first).max())[:, None]
    weights = np.where(at < end, _kernel((at - centre + 0.5) / spread), 0.0)
    whole = weights / weights.sum(axis=0) * (1 << _FRACTION_BITS)
    return np.minimum(at, length - 1), np.trunc(whole + np.copysign(0.5, whole)).astype(np.int32)


def _kernel(x: Float[np.ndarray, "tap window"]) -> Float[np.ndarray, "tap window"]:
    x = np.abs(x)
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _CUBIC
    return np.where(x < 1, near, np.where(x < _SUPPORT, far, 0.0))


def _filtered(
    lines: UInt8[np.ndarray, "line *rest"], at: Int[np.ndarray, "tap window"], weights: Int[np.ndarray, "tap window"]
) -> UInt8[np.ndarray, "window *rest"]:
    """Weighted sums along the first axis, rounded as Pillow does; int32 suffices for 8 bits and 22."""
    lines = np.ascontiguousarray(lines)
    trailing = (-1,) + (1,) * (lines.ndim - 1)
    total = np.full((at.shape[1], *lines.shape[1:]), 1 << (_FRACTION_BITS - 1), np.int32)
    for positions, weight in zip(at, weights, strict=True):
        total += lines[positions] * weight.reshape(trailing)
    return np.clip(total >> _FRACTION_BITS, 0, 255).astype(np.uint8)
