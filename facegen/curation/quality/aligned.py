"""A face upright in a frame of its own, where its parts lie in the same places, and which of it should be seen."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from facegen.geometry.alignment import five_points

SIZE = 64
# Eyes, tip of the nose and corners of the mouth there; a frontal face reaches from brows to chin.
TEMPLATE = np.array([(20, 21), (44, 21), (32, 34), (23, 45), (41, 45)], np.float64)


class Aligned(NamedTuple):
    """RGB pixels of a face in its own frame, and where the hull of its landmarks lies within the picture."""

    pixels: UInt8[np.ndarray, "64 64 3"]
    face: Bool[np.ndarray, "64 64"]


def transform(landmarks: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "2 3"]:
    """The similarity that brings the five points of a face nearest to the template, least squares.

    Points as complex numbers: w = a z + b with a = <z, w> / <z, z> about the means.
    """
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (five_points(landmarks), TEMPLATE))
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / max(float(np.vdot(centred, centred).real), 1e-9)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(pixels: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "68 2"]) -> Aligned:
    """A face of a picture. What lies outside the picture is black, and no part of the face."""
    matrix = transform(landmarks)
    shrink = 1 / np.hypot(*matrix[0, :2])
    if shrink > 2:  # an area of pixels for each, not single ones
        size = (max(1, round(pixels.shape[1] / shrink)), max(1, round(pixels.shape[0] / shrink)))
        factors = size[0] / pixels.shape[1], size[1] / pixels.shape[0]
        return align(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), landmarks * factors)
    hull = cv2.convexHull((landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
    face = cv2.fillConvexPoly(np.zeros((SIZE, SIZE), np.uint8), np.rint(hull).astype(np.int32), (1,))
    seen = cv2.warpAffine(np.ones(pixels.shape[:2], np.uint8), matrix, (SIZE, SIZE))
    warped = cv2.warpAffine(pixels, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    return Aligned(np.asarray(warped, np.uint8), (np.asarray(face) > 0) & (np.asarray(seen) > 0))
