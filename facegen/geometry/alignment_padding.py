"""Completion of a photograph that ends too near to a face: reflected, blurred the more the farther out, then grey."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image

_WIDTH, _BLUR = 0.3, 0.02  # of the padding at least, and the blur's sigma: shares of the quad's side
_SLACK = 4  # pixels of the border that may be missing before anything is padded
_COARSE = 0.1
_STEEPNESS = 3.0  # so that the blur begins a third of the padding's width inside the photograph
_ROWS = 256  # at once
_LARGEST, _LARGEST_RATIO = 64_000_000, 4  # pixels of a padded picture, or times those of the picture: 20 bytes for each

Quad = Float[np.ndarray, "4 2"]
Plane = Float32[np.ndarray, "height width"]


class BlurredPadding(NamedTuple):
    """The quad's side and the border it should have, in pixels; whether to blur at a tenth of the resolution."""

    side: float
    border: int
    coarse: bool


class _Fade(NamedTuple):
    """1 at the outer edge of the padding, 0 where the photograph begins, negative in it; the larger of both counts."""

    across: Float32[np.ndarray, "width"]
    down: Float32[np.ndarray, "height"]


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
    fade = _fade(picture.size, (left, upper, right, lower))
    reflected = np.pad(np.asarray(picture), ((upper, lower), (left, right), (0, 0)), "reflect")
    for channel in range(reflected.shape[2]):
        reflected[:, :, channel] = _faded(reflected[:, :, channel].astype(np.float32), fade, rules)
    return Image.fromarray(reflected), quad + np.array([left, upper])


def _fade(size: tuple[int, int], pad: tuple[int, int, int, int]) -> _Fade:
    (left, upper, right, lower), width, height = pad, size[0] + pad[0] + pad[2], size[1] + pad[1] + pad[3]
    if width * height > max(_LARGEST, _LARGEST_RATIO * size[0] * size[1]):
        got = f"the face would need {width} x {height} pixels of a {size[0]} x {size[1]} picture"
        raise ValueError(f"landmarks: {got}; are they of this image?")
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    across = np.float32(1) - np.minimum(x / np.float32(left), x[::-1] / np.float32(right))
    return _Fade(across, np.float32(1) - np.minimum(y / np.float32(upper), y[::-1] / np.float32(lower)))


def _faded(plane: Plane, fade: _Fade, rules: BlurredPadding) -> Plane:
    """One colour channel of 0 to 255, in place, rounded."""
    sigma = rules.side * _BLUR
    blurred = _coarse_blur(plane, sigma) if rules.coarse else gaussian_blur(plane, sigma)
    _blend(plane, blurred, fade, steepness=_STEEPNESS, start=1.0)
    median = np.median(_reduced(plane) if rules.coarse else plane)
    _blend(plane, np.broadcast_to(median, plane.shape), fade, steepness=1.0, start=0.0)
    return np.clip(np.rint(plane, out=plane), 0, 255, out=plane)


def _blend(plane: Plane, other: Plane, fade: _Fade, steepness: float, start: float) -> None:
    """plane += (other - plane) * weights, by rows: a photograph in floats is large enough once."""
    for first in range(0, len(plane), _ROWS):
        rows = slice(first, first + _ROWS)
        outside = np.maximum(fade.across, fade.down[rows, None])
        weights = np.clip(outside * np.float32(steepness) + np.float32(start), 0, 1)
        plane[rows] += (other[rows] - plane[rows]) * weights


def gaussian_blur(plane: Plane, sigma: float) -> Plane:
    """What `scipy.ndimage.gaussian_filter` makes (cut at 4 sigma, mirrored at the edges), to the last bit but for ties.

    A cosine transform turns the convolution of a mirrored signal into a product: time does not grow with sigma, which
    reaches a hundred pixels here. As there, sums are in float64 and what one axis leaves to the next in float32.
    """
    from scipy.fft import dct, idct

    for axis, shape in ((0, (-1, 1)), (1, (1, -1))):
        waves = dct(plane.astype(np.float64), axis=axis, overwrite_x=True)
        waves *= _gaussian_gain(plane.shape[axis], sigma).reshape(shape)
        plane = np.asarray(idct(waves, axis=axis, overwrite_x=True), np.float32)
    return plane


def _gaussian_gain(length: int, sigma: float) -> Float[np.ndarray, "length"]:
    """By how much a Gaussian, cut at 4 sigma and normalised, weakens the cosines of a signal of this length."""
    taps = np.arange(int(4 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (taps / sigma) ** 2) * np.where(taps > 0, 2, 1)
    angles = np.arange(length) * (np.pi / length)
    return np.cos(angles[:, None] * taps) @ (weights / weights.sum())


def _coarse_blur(plane: Plane, sigma: float) -> Plane:
    import cv2

    small = gaussian_blur(_reduced(plane), sigma * _COARSE)
    return cv2.resize(small, (plane.shape[1], plane.shape[0]), interpolation=cv2.INTER_LANCZOS4)


def _reduced(plane: Plane) -> Plane:
    import cv2

    return cv2.resize(plane, (0, 0), fx=_COARSE, fy=_COARSE, interpolation=cv2.INTER_AREA)
