"""Masks of textures: arrays (height, width) of 0 and 1, and softened ones between (FFHQ-UV, Bai et al. 2023)."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

Mask = Float[np.ndarray, "height width"]
Texture = Float[np.ndarray, "height width 3"]  # RGB, 0 to 255
Test = Literal["greater", "greater-equal", "less", "less-equal", "equal"]

# Box filters of FFHQ-UV in pixels of a texture of 1024
FULL_SIZE = 1024
_TESTS = {
    "greater": np.greater,
    "greater-equal": np.greater_equal,
    "less": np.less,
    "less-equal": np.less_equal,
    "equal": np.equal,
}


def threshold(values: np.ndarray, limit: float = 0.5, test: Test = "greater") -> Float[np.ndarray, "..."]:
    """1 where `values` pass the test against `limit`, else 0."""
    if test not in _TESTS:
        raise ValueError(f"mask: got test {test!r}, expected one of: {', '.join(_TESTS)}")
    return _TESTS[test](values, limit).astype(np.float32)


def odd(kernel: int, size: int) -> int:
    """The side, an odd number, that a filter of `kernel` pixels for textures of 1024 has in one of `size`."""
    scaled = kernel * size // FULL_SIZE
    return max(scaled - 1 + scaled % 2, 1)


def box_blur(values: np.ndarray, kernel: int) -> np.ndarray:
    """Mean over a window of `kernel` x `kernel` pixels, borders mirrored without repeating the last row."""
    return cv2.blur(values, (kernel, kernel))


def shrink(mask: Mask, kernel: int) -> Mask:
    """1 where the whole window of `kernel` x `kernel` pixels is 1: what blurring and asking for 1 means."""
    return cv2.erode(threshold(mask, 1 - 1e-6, "greater-equal"), np.ones((kernel, kernel), np.uint8))


def grow(mask: Mask, kernel: int) -> Mask:
    """1 where anything in the window of `kernel` x `kernel` pixels is above 0."""
    return cv2.dilate(threshold(mask, 0.0), np.ones((kernel, kernel), np.uint8))


def around(mask: Mask, pixels: float) -> Mask:
    """1 within `pixels` of a pixel of the mask."""
    return threshold(cv2.distanceTransform((mask <= 0.5).astype(np.uint8), cv2.DIST_L2, 5), pixels, "less-equal")


def smooth(values: np.ndarray, deviation: float) -> np.ndarray:
    """About a Gaussian of that deviation, by three box filters, whose time does not grow with it."""
    kernel = 2 * max(round(deviation), 1) + 1
    for _ in range(3):
        values = box_blur(values, kernel)
    return values


def mix(below: np.ndarray, above: np.ndarray, mask: Mask) -> np.ndarray:
    """`above` where the mask is 1, `below` where it is 0, linear between."""
    weight = mask[..., None]
    return above * weight + below * (1 - weight)
