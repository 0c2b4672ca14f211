"""The square of a picture that shows the face, which quality is judged by."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from facegen.curation.stages import Rejection

LARGEST = 256  # pixels: larger faces are reduced to this
SMALLEST = 16
_MARGIN = 0.15  # around the landmarks, of their extent
_WITHOUT = 0.7  # of the shorter side, about the middle of a picture without landmarks


class FaceSquare(NamedTuple):
    """`pixels` RGB of a face, `side` of its square in pixels of the picture, `scale`: of those for one of `pixels`."""

    pixels: UInt8[np.ndarray, "height width 3"]
    side: float
    scale: float


def face_square(
    pixels: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "68 2"] | None, largest: int = LARGEST
) -> FaceSquare:
    """The square around the landmarks as far as the picture reaches, or around its middle; never enlarged.

    Raises Rejection where too little of it lies in the picture.
    """
    height, width = pixels.shape[:2]
    if landmarks is None:
        centre, half = np.array([width, height]) / 2, min(width, height) * _WITHOUT / 2
    else:
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        centre, half = (low + high) / 2, float((high - low).max()) * (0.5 + _MARGIN)
    left, upper = np.maximum(np.floor(centre - half), 0).astype(int)
    right, lower = np.maximum(np.ceil(centre + half), 0).astype(int)
    cut = np.ascontiguousarray(pixels[upper:lower, left:right])
    if min(cut.shape[:2]) < SMALLEST:
        raise Rejection("face too small", f"{cut.shape[1]}x{cut.shape[0]} pixels, expected {SMALLEST} or more")
    scale = max(1.0, max(cut.shape[:2]) / largest)
    if scale > 1:
        size = (max(SMALLEST, round(cut.shape[1] / scale)), max(SMALLEST, round(cut.shape[0] / scale)))
        cut = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
    return FaceSquare(cut, 2 * half, scale)
