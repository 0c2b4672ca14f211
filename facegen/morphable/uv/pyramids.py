"""Blending by Laplacian pyramids (Burt and Adelson 1983), as FFHQ-UV (Bai et al. 2023) builds them."""

from collections.abc import Sequence

import cv2
import numpy as np

from facegen.morphable.uv.masks import Mask, Texture, mix

LEVELS = 5
_BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16


def laplacian_pyramid(image: Texture, levels: int = LEVELS) -> list[np.ndarray]:
    """Differences of an image and its halved self, finest first, and the smallest image at the end."""
    pyramid = []
    for _ in range(levels - 1):
        half = cv2.pyrDown(image)  # [1, 4, 6, 4, 1] / 16 both ways, then the even rows and columns
        pyramid.append(image - _doubled(half, image))
        image = half
    return [*pyramid, image]


def collapse(pyramid: Sequence[np.ndarray]) -> np.ndarray:
    """The image whose pyramid this is."""
    image = pyramid[-1]
    for finer in reversed(pyramid[:-1]):
        image = finer + _doubled(image, finer)
    return image


def mask_pyramid(mask: Mask, levels: int = LEVELS) -> list[Mask]:
    """The mask at each level: even rows and columns, then a Gaussian of 5 pixels and deviation 1."""
    pyramid = [mask]
    for _ in range(levels - 1):
        pyramid.append(cv2.GaussianBlur(pyramid[-1][::2, ::2], (5, 5), 1))
    return pyramid


def pyramid_blend(below: Texture, above: Texture, mask: Mask, levels: int = LEVELS) -> Texture:
    """`above` where the mask is 1, `below` elsewhere, coarse structure mixed over wide seams; clipped to 0..255."""
    pyramids = (laplacian_pyramid(below, levels), laplacian_pyramid(above, levels), mask_pyramid(mask, levels))
    mixed = [mix(low, high, np.clip(weight, 0, 1)) for low, high, weight in zip(*pyramids, strict=True)]
    return np.clip(collapse(mixed), 0, 255)


def _doubled(half: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Each pixel twice both ways, cut to the size of `like`, then the binomial filter."""
    rows, columns = like.shape[:2]
    nearest = half.repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]
    return cv2.sepFilter2D(nearest, -1, _BINOMIAL, _BINOMIAL)
