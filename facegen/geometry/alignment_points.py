"""Landmarks of faces, their five-point summary, and the scaled projection that aligns the latter (POS)."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

NUM_LANDMARKS, NUM_POINTS = 68, 5
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the person's right eye is at the left of the picture
NOSE_TIP, MOUTH_LEFT, MOUTH_RIGHT = 30, 48, 54  # left and right of the picture
# Deep3DFaceRecon's five points of the mean face (`similarity_Lm3D_all`, reduced by `five_points`): decimetres, y up.
FIVE_POINTS_3D = (
    (-0.31148657, 0.29036078, 0.13377953),
    (0.30979887, 0.28972036, 0.13179526),
    (0.0032535, -0.04617932, 0.55244243),
    (-0.25216928, -0.38133916, 0.22405732),
    (0.2484662, -0.38128236, 0.22235769),
)
_CLOSEST_EYES = 1e-3  # of the extent of the landmarks: nearer ones are the same point

Points = Float[np.ndarray, "point 2"]
FivePoints3D = Float[np.ndarray, "5 3"]


def five_points(landmarks: Float[np.ndarray, "68 dim"]) -> Float[np.ndarray, "5 dim"]:
    """Left eye, right eye, nose tip, left and right corner of the mouth, as seen in the picture, in 2D or 3D.

    An eye is the mean of its two corners. Five points are returned as they are.
    Raises ValueError for another number of points.
    """
    if len(landmarks) == NUM_POINTS:
        return np.asarray(landmarks)
    if len(landmarks) != NUM_LANDMARKS:
        raise ValueError(f"landmarks: got {len(landmarks)} points, expected 68 (or the five already)")
    eyes = [np.asarray(landmarks)[[start, start + 3]].mean(axis=0) for start in (RIGHT_EYE.start, LEFT_EYE.start)]
    return np.stack([*eyes, landmarks[NOSE_TIP], landmarks[MOUTH_LEFT], landmarks[MOUTH_RIGHT]])


def five_points_integer(landmarks: Float[np.ndarray, "68 2"]) -> Int[np.ndarray, "5 2"]:
    """LPFF's five points: those of `five_points`, cut to whole pixels."""
    return five_points(np.asarray(landmarks)).astype(np.int64)


def flip_rows(points: Points, height: float) -> Points:
    """Between y down (images) and y up (Deep3DFaceRecon's landmark files): row = height - 1 - y, its own inverse."""
    return np.stack([points[:, 0], height - 1 - points[:, 1]], axis=1)


def pos_scale_translation(
    points: Float[np.ndarray, "5 2"], template: FivePoints3D | None = None
) -> tuple[float, Float[np.ndarray, "2"]]:
    """Scale (pixels per template unit) and position of the template's origin in the picture, least squares.

    1. Each axis of the picture is fitted as a linear function [X Y Z 1] of the template: the POS of
       POSIT (DeMenthon & Davis 1995).
    2. The scale is the mean length of the two rows, the translation their constants.

    `points` have y up, as `template` (default: Deep3DFaceRecon's) has.
    """
    model = np.asarray(FIVE_POINTS_3D if template is None else template, dtype=np.float64)
    if model.shape != (NUM_POINTS, 3) or not np.isfinite(model).all():
        raise ValueError(f"template: got shape {model.shape}, expected five finite 3D points (5, 3)")
    design = np.concatenate([model, np.ones((NUM_POINTS, 1))], axis=1)
    rows = np.linalg.lstsq(design, np.asarray(points, dtype=np.float64), rcond=None)[0].T
    return float(np.linalg.norm(rows[:, :3], axis=1).mean()), rows[:, 3]


def check_landmarks(
    landmarks: Points, size: tuple[int, int], counts: tuple[Literal[5, 68], ...] = (NUM_POINTS, NUM_LANDMARKS)
) -> Float[np.ndarray, "point 2"]:
    """Landmarks (pixels, y down) as float64, if a face of an image of `size` (width, height) can have them.

    Raises ValueError where there are not `counts` of them, where one is not finite or lies more than an image's longer
    side outside, where all lie outside, and where both eyes are one point.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape not in [(count, 2) for count in counts]:
        expected = " or ".join(f"({count}, 2)" for count in counts)
        raise ValueError(f"landmarks: got shape {points.shape}, expected {expected}: x and y in pixels")
    if not np.isfinite(points).all():
        raise ValueError(f"landmarks: point {_first(~np.isfinite(points))} is not finite; detect the face again")
    reach = max(size)
    if (outside := (points < -reach) | (points > np.array(size) + reach)).any():
        at = _first(outside)
        got = f"point {at} at ({points[at, 0]:.0f}, {points[at, 1]:.0f})"
        raise ValueError(f"landmarks: {got} lies far outside the {size[0]} x {size[1]} image; are they of this image?")
    if (points.max(axis=0) < 0).any() or (points.min(axis=0) > size).any():
        raise ValueError(f"landmarks: the face lies outside the {size[0]} x {size[1]} image; are they of this image?")
    eyes = five_points(points)[:2]
    if np.hypot(*(eyes[1] - eyes[0])) <= _CLOSEST_EYES * np.ptp(points, axis=0).max():
        raise ValueError(f"landmarks: both eyes at ({eyes[0, 0]:.1f}, {eyes[0, 1]:.1f}); detect the face again")
    return points


def _first(flags: np.ndarray) -> int:
    return int(np.nonzero(flags.any(axis=1))[0][0])


def check_image(image: np.ndarray) -> tuple[int, int]:
    """Width and height of an RGB image; raises ValueError for anything but uint8 (height, width, 3)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"image: got {image.dtype} of shape {image.shape}, expected uint8 RGB (height, width, 3)")
    return image.shape[1], image.shape[0]
