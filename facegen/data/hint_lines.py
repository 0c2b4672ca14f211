"""Landmarks of faces as line drawings."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

NUM_POINTS = 68
# The features of iBUG's 68 points: first and last point, whether the line closes, RGB.
_LINES = (
    (0, 17, False, (255, 255, 255)),  # jaw
    (17, 22, False, (255, 128, 0)),  # brows, the picture's left one first
    (22, 27, False, (255, 255, 0)),
    (27, 31, False, (0, 255, 0)),  # ridge and base of the nose
    (31, 36, False, (0, 255, 128)),
    (36, 42, True, (0, 128, 255)),  # eyes
    (42, 48, True, (0, 255, 255)),
    (48, 60, True, (255, 0, 0)),  # lips, outside and inside
    (60, 68, True, (255, 0, 255)),
)
_BITS = 4  # cv2 counts in sixteenths of a pixel
_PIXELS_OF_A_LINE = 128  # side of a picture in which lines are a pixel wide


def draw_landmarks(points: Float[Tensor, "batch 68 2"], side: int) -> Float[Tensor, "batch 3 side side"]:
    """Coloured lines on black, in [0, 1], on the points' device.

    points: in sides of the picture, y down, (0, 0) the upper left corner. A feature with a point that is not finite is
    left out.
    """
    pictures = np.zeros((len(points), side, side, 3), dtype=np.uint8)
    width = max(round(side / _PIXELS_OF_A_LINE), 1)
    pixels = (points.detach().cpu().double().numpy() * side - 0.5) * 2**_BITS  # cv2's whole numbers are pixel centres
    for picture, face in zip(pictures, pixels, strict=True):
        for first, end, closed, color in _LINES:
            line = face[first:end]
            if np.isfinite(line).all():
                corners = np.round(line).astype(np.int32)[None]
                cv2.polylines(picture, corners, closed, color, width, cv2.LINE_AA, _BITS)
    found = torch.from_numpy(pictures).to(points.device)
    return found.permute(0, 3, 1, 2).float() / 255
