"""Other people beside a face, also where the picture's edge or the face itself cuts theirs off, as detectors miss them.

The face that the picture is about is painted grey, so whatever else looks like a face belongs to somebody else. A small
network marks it. It was trained on portraits with planted heads (`experiments/curation/neighbours_fit.py`).
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from facegen.curation.quality.occlusion import OcclusionNetwork, as_input, read_network

VERSION = 1  # raise it with new weights
WIDTH = 96  # pixels of the longer side, as the network sees pictures
_WEIGHTS = Path(__file__).with_name("neighbours.npz")
_GREY = 128
_SMALLEST = 6  # pixels: side of the least face that counts


class Neighbours(NamedTuple):
    """How many `others` there are, and the side of the largest over that of the face that the picture is about."""

    others: int
    largest: float


def blanked(
    pixels: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "68 2"]
) -> UInt8[np.ndarray, "96 96 3"]:
    """A picture of 96 pixels, grey at the right or below where it is not square, with the face painted grey."""
    scale = WIDTH / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    canvas = np.full((WIDTH, WIDTH, 3), _GREY, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    hull = cv2.convexHull((landmarks * scale).astype(np.float32))
    return np.asarray(cv2.fillConvexPoly(canvas, np.rint(hull).astype(np.int32), (_GREY,) * 3), np.uint8)


def find_neighbours(pixels: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "68 2"]) -> Neighbours:
    """Other people's faces in a picture."""
    marked = likely(blanked(pixels, landmarks)) > 0.5
    _, _, found, _ = cv2.connectedComponentsWithStats(marked.astype(np.uint8))
    sides = np.sqrt(found[1:, cv2.CC_STAT_AREA].astype(float))
    own = np.ptp(landmarks, axis=0).max() * WIDTH / max(pixels.shape[:2])
    return Neighbours(int((sides >= _SMALLEST).sum()), float(sides.max(initial=0) / max(own, 1.0)))


def likely(picture: UInt8[np.ndarray, "96 96 3"]) -> Float[np.ndarray, "96 96"]:
    """How likely each pixel of a `blanked` picture shows another face, 0 to 1."""
    with torch.inference_mode():
        logits = _network()(as_input(picture[None]))
        return functional.interpolate(logits, scale_factor=2.0, mode="bilinear").sigmoid()[0, 0].numpy()


@lru_cache(maxsize=1)
def _network() -> OcclusionNetwork:
    return read_network(_WEIGHTS)
