"""Giving one texture the colours of another: means and deviations of Y, U and V (Reinhard et al. 2001 in YUV)."""

import cv2
import numpy as np
from jaxtyping import Float

from facegen.morphable.uv.masks import Mask, Texture

# rows Y, U, V of RGB: BT.601 luminance, analogue scale
YUV = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.14714119, -0.28886916, 0.43601035],
        [0.61497538, -0.51496512, -0.10001026],
    ]
)

SOFTNESS = 1.5  # by which FFHQ-UV divides the contrast of its template
_LEAST_DEVIATION = 1.0  # below one step of 255 there is nothing to enlarge but noise


def to_yuv(texture: Float[np.ndarray, "*size 3"]) -> Float[np.ndarray, "*size 3"]:
    """Luminance and two differences of colour, in the unit of the RGB values."""
    return texture @ YUV.T.astype(texture.dtype)


def luminance(texture: Float[np.ndarray, "*size 3"]) -> Float[np.ndarray, "*size"]:
    """Y of YUV."""
    return texture @ YUV[0].astype(texture.dtype)


def match_color(source: Texture, target: Texture, mask: Mask, softness: float = SOFTNESS) -> Texture:
    """`source` with mean and deviation of `target` inside the mask, in YUV; clipped to 0..255.

    The contrast is divided by `softness`: (x - mean_s) / deviation_s / softness * deviation_t + mean_t. The four
    steps are one affine map of RGB. Without a pixel in the mask `source` is returned as it is.
    """
    inside = (mask > 0.5).astype(np.uint8)
    if not inside.any():
        return np.clip(source, 0, 255)
    (mean, deviation), (wanted_mean, wanted_deviation) = (
        (part.ravel() for part in cv2.meanStdDev(cv2.transform(texture, YUV), mask=inside))
        for texture in (source, target)
    )
    gain = wanted_deviation / (softness * np.maximum(deviation, _LEAST_DEVIATION))
    back = np.linalg.inv(YUV)
    linear = back @ (gain[:, None] * YUV)
    offset = back @ (wanted_mean - gain * mean)
    matched = cv2.transform(source, np.concatenate([linear, offset[:, None]], axis=1))
    return np.clip(matched, 0, 255)
