"""Completion of a photograph that ends too near to a face: reflected, blurred the more the farther out, then grey."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image

_WIDTH, _BLUR = 0.3, 0.02  # of the padding at least, and the blur's sigma: shares of the quad's side
_SLACK = 4  # pixels of the border that may be missing before anything is padded
_COARSE = 0.1
_FADE = 3.0  # the blur begins a third of the padding's width inside the photograph
_ROWS = 256  # at once
_LARGEST = 100_000_000  # pixels of a padded picture: 1.2 GB a copy of it in floats

Quad = Float[np.ndarray, "4 2"]
Colors = Float32[np.ndarray, "height width 3"]
Weights = Float32[np.ndarray, "height width 1"]


class BlurredPadding(NamedTuple):
    """The quad's side and the border it should have, in pixels; whether to blur at a tenth of the resolution."""

    side: float
    border: int
    coarse: bool


def pad_picture(picture: Image.Image, quad: Quad, rules: BlurredPadding) -> tuple[Image.Image, Quad]:
    """The picture with as much around it as the quad and its border need, and where the quad is then.

    1. Reflect. 2. Towards the outside, blend into a blur. 3. Where the photograph ends, begin to blend into the median.
    Raises ValueError where so much is missing that the padded picture would not fit into memory.
    """
    before = np.maximum(rules.border - np.floor(quad.min(axis=0)).astype(int), 0)
    after = np.maximum(np.ceil(quad.max(axis=0)).astype(int) - picture.size + rules.border, 0)
    if max(before.max(), after.max()) <= rules.border - _SLACK:
        return picture, quad
    least = int(np.rint(rules.side * _WIDTH))
    left, upper = np.maximum(before, least).tolist()
    right, lower = np.maximum(after, least).tolist()
    width, height = picture.width + left + right, picture.height + upper + lower
    if width * height > _LARGEST:
        got = f"the face would need {width} x {height} pixels of a {picture.width} x {picture.height} picture"
        raise ValueError(f"landmarks: {got}; are they of this image?")
    reflected = np.pad(np.asarray(picture), ((upper, lower), (left, right), (0, 0)), "reflect")
    outside = _outside(reflected.shape[:2], (left, upper, right, lower))
    colors = _faded(reflected.astype(np.float32), outside, rules)
    np.clip(np.rint(colors, out=colors), 0, 255, out=colors)
    return Image.fromarray(colors.astype(np.uint8)), quad + np.array([left, upper])


def _outside(shape: tuple[int, ...], pad: tuple[int, int, int, int]) -> Weights:
    """1 at the outer edge of the padding, 0 where the photograph begins, negative in it."""
    (height, width), (left, upper, right, lower) = shape, pad
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    across = np.float32(1) - np.minimum(x / np.float32(left), x[::-1] / np.float32(right))
    down = np.float32(1) - np.minimum(y / np.float32(upper), y[::-1] / np.float32(lower))
    return np.maximum(across[None, :, None], down[:, None, None])


def _faded(colors: Colors, outside: Weights, rules: BlurredPadding) -> Colors:
    sigma = rules.side * _BLUR
    blurred = _coarse_blur(colors, sigma) if rules.coarse else gaussian_blur(colors, sigma)
    _blend(colors, blurred, np.clip(outside * np.float32(_FADE) + np.float32(1), 0, 1))
    sample = _reduced(colors) if rules.coarse else colors
    median = np.array([np.median(sample[:, :, channel]) for channel in range(3)], np.float32)
    _blend(colors, np.broadcast_to(median, colors.shape), np.clip(outside, 0, 1))
    return colors


def _blend(colors: Colors, other: Colors, weights: Weights) -> None:
    """colors += (other - colors) * weights, by rows: a photograph in floats is large enough once."""
    for start in range(0, len(colors), _ROWS):
        rows = slice(start, start + _ROWS)
        colors[rows] += (other[rows] - colors[rows]) * weights[rows]


def gaussian_blur(colors: Colors, sigma: float) -> Colors:
    """What `scipy.ndimage.gaussian_filter` makes (cut at 4 sigma, mirrored at the edges), to the last bit but for ties.

    A cosine transform turns the convolution of a mirrored signal into a product: time does not grow with sigma, which
    reaches a hundred pixels here. As there, sums are in float64 and what one axis leaves to the next in float32.
    """
    from scipy.fft import dct, idct

    blurred = np.empty_like(colors)
    for channel in range(colors.shape[2]):
        plane = colors[:, :, channel]
        for axis, shape in ((0, (-1, 1)), (1, (1, -1))):
            waves = dct(plane.astype(np.float64), axis=axis, overwrite_x=True)
            waves *= _gaussian_gain(plane.shape[axis], sigma).reshape(shape)
            plane = np.asarray(idct(waves, axis=axis, overwrite_x=True), np.float32)
        blurred[:, :, channel] = plane
    return blurred


def _gaussian_gain(length: int, sigma: float) -> Float[np.ndarray, "length"]:
    """By how much a Gaussian, cut at 4 sigma and normalised, weakens the cosines of a signal of this length."""
    taps = np.arange(int(4 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (taps / sigma) ** 2) * np.where(taps > 0, 2, 1)
    angles = np.arange(length) * (np.pi / length)
    return np.cos(angles[:, None] * taps) @ (weights / weights.sum())


def _coarse_blur(colors: Colors, sigma: float) -> Colors:
    import cv2

    small = gaussian_blur(_reduced(colors), sigma * _COARSE)
    return cv2.resize(small, (colors.shape[1], colors.shape[0]), interpolation=cv2.INTER_LANCZOS4)


def _reduced(colors: Colors) -> Colors:
    import cv2

    return cv2.resize(colors, (0, 0), fx=_COARSE, fy=_COARSE, interpolation=cv2.INTER_AREA)
