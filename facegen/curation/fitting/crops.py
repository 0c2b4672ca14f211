"""The crop that a face is fitted in: Deep3DFaceRecon's 224 pixels, with its landmarks and the way back."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from facegen.curation.faces import implausible
from facegen.curation.photographs import read_photograph
from facegen.curation.stages import Rejection, Row
from facegen.geometry.alignment import SimilarityFrame, similarity_crop
from facegen.geometry.alignment_similarity import DEEP3D_RESCALE, DEEP3D_SIZE

_MOST_SHARP = 1024  # pixels


class Crop(NamedTuple):
    """Pixels, landmarks in them (y down), the frame that leads back, and the share that the picture does not show.

    `sharp`: the same crop with as many pixels as the picture has there, where that was asked for.
    """

    image: UInt8[np.ndarray, "224 224 3"]
    landmarks: Float[np.ndarray, "68 2"]
    frame: SimilarityFrame
    missing: float
    sharp: UInt8[np.ndarray, "side side 3"] | None = None


def read_crop(row: Row, root: str, sharp: bool = False) -> Crop:
    """Cut out the face of a row with `landmarks68`. Raises Rejection where the picture or the landmarks do not do."""
    pixels = read_photograph(row, root).pixels
    points = np.reshape(row["landmarks68"], (68, 2)).astype(np.float64)
    size = (pixels.shape[1], pixels.shape[0])
    reason = "not finite" if not np.isfinite(points).all() else implausible(points, None, size)
    if reason:
        raise Rejection("landmarks implausible", reason)
    try:
        crop = similarity_crop(pixels, points)
    except ValueError as error:
        raise Rejection("landmarks implausible", str(error)) from error
    found = Crop(crop.image, crop.landmarks, crop.frame, missing(crop.frame))
    return found._replace(sharp=_sharp(pixels, points, crop.frame)) if sharp else found


def _sharp(
    pixels: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "68 2"], frame: SimilarityFrame
) -> UInt8[np.ndarray, "side side 3"]:
    scale = float(frame.trans_params[2])
    side = round(min(max(DEEP3D_SIZE / scale, DEEP3D_SIZE), _MOST_SHARP))
    return similarity_crop(pixels, points, size=side, rescale=DEEP3D_RESCALE * side / DEEP3D_SIZE).image


def missing(frame: SimilarityFrame) -> float:
    """Share of a crop that lies outside of its picture and is black."""
    left, upper, right, lower = frame.box
    width, height = frame.resized
    seen = max(min(right, width) - max(left, 0), 0) * max(min(lower, height) - max(upper, 0), 0)
    return 1 - seen / frame.size**2
