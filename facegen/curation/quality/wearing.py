"""Hats, dark glasses and what hides a face, from a mask of its parts (the column `parsing`)."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from facegen.data.masks import CELEBAMASK, Mask
from facegen.geometry.alignment_points import LEFT_EYE, RIGHT_EYE

_NO_FACE = ("background", "hat", "ear_r", "neck_l", "cloth")
_EYE_REACH = 0.6  # of the distance of an eye's corners: half of the square that is looked at


class Worn(NamedTuple):
    """`hidden`: share of the hull of the landmarks that shows no part of a face. `hat`: area of a hat over that of the
    hull. `dark_glasses`: how much darker than the skin glasses are, 0 to 1; 0 without glasses."""

    hidden: float
    hat: float
    dark_glasses: float


def worn(mask: Mask, pixels: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "68 2"]) -> Worn:
    """Of a mask with CelebAMask-HQ's ids, as large as the picture. Raises ValueError for another size."""
    if mask.shape != pixels.shape[:2]:
        raise ValueError(f"parsing: got a mask of {mask.shape}, expected {pixels.shape[:2]} as the picture has")
    hull = _filled(landmarks, mask.shape)
    area = max(int(hull.sum()), 1)
    hidden = np.isin(mask, [CELEBAMASK.index(name) for name in _NO_FACE]) & hull
    hat = float((mask == CELEBAMASK.index("hat")).sum() / area)
    return Worn(float(hidden.sum() / area), hat, _darkness(mask, pixels, landmarks))


def _filled(points: Float[np.ndarray, "point 2"], shape: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    hull = cv2.convexHull(points.astype(np.float32))
    return cv2.fillConvexPoly(np.zeros(shape, np.uint8), np.rint(hull).astype(np.int32), (1,)).astype(bool)


def _darkness(mask: Mask, pixels: np.ndarray, landmarks: np.ndarray) -> float:
    """Share of both eyes that glasses cover, times how far they are below the skin in brightness."""
    skin = mask == CELEBAMASK.index("skin")
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    windows = [_around(landmarks[eye], mask.shape) for eye in (RIGHT_EYE, LEFT_EYE)]
    glasses = (mask == CELEBAMASK.index("eye_g")) & (windows[0] | windows[1])
    if not glasses.any() or not skin.any():
        return 0.0
    covered = glasses.sum() / max(int((windows[0] | windows[1]).sum()), 1)
    return float(covered * np.clip(1 - np.median(grey[glasses]) / max(float(np.median(grey[skin])), 1.0), 0, 1))


def _around(eye: Float[np.ndarray, "6 2"], shape: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    half = max(float(np.linalg.norm(eye[3] - eye[0])) * _EYE_REACH, 1.0)
    found = np.zeros(shape, bool)
    (left, upper), (right, lower) = (
        np.maximum(np.rint(eye.mean(axis=0) + sign * half), 0).astype(int) for sign in (-1, 1)
    )
    found[upper : lower + 1, left : right + 1] = True
    return found
