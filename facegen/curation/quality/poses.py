"""What landmarks tell about a picture without any pixel of it: how far the head is turned, and what is cut off."""

import numpy as np
from jaxtyping import Float

from facegen.geometry.alignment import FIVE_POINTS_3D, five_points

_GRID = 16  # samples along a side of the square
_SQUARE = 0.65  # half of it, in units of the extent of the landmarks: with forehead and chin


def yaw_degrees(landmarks: Float[np.ndarray, "68 2"]) -> float:
    """How far the head is turned, in degrees; positive as `yaw_degrees` of camera labels, NaN where five points lie on
    one another.

    The affine camera that brings the mean face's five points nearest to those of the face (the first step of POSIT,
    DeMenthon & Davis 1995); its first row looks along the picture's x axis.
    """
    model = np.array(FIVE_POINTS_3D)
    rows = np.linalg.lstsq(model - model.mean(axis=0), np.asarray(five_points(landmarks), np.float64), rcond=None)[0].T
    (right, _, toward), (_, up, _) = rows
    return float(np.degrees(np.arctan2(toward, right))) if max(abs(right), abs(up)) > 1e-9 else float("nan")


def outside(landmarks: Float[np.ndarray, "68 2"], width: int, height: int) -> float:
    """The share of the square about a face, upright in the picture, that lies outside the picture."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    half = float((high - low).max()) * _SQUARE
    steps = ((np.arange(_GRID) + 0.5) / _GRID * 2 - 1) * half
    x, y = (steps + middle for middle in (low + high) / 2)
    return float(1 - np.outer((y >= 0) & (y <= height), (x >= 0) & (x <= width)).mean())
