"""FFHQ-UV's crops of photographs, and the way back from a crop's pixels to the photograph's."""

import numpy as np
from jaxtyping import Float, UInt8

from facegen.geometry.alignment_points import Points, check_image, flip_rows
from facegen.geometry.alignment_resize import resized_window
from facegen.geometry.alignment_similarity import SimilarityFrame

Picture = UInt8[np.ndarray, "height width 3"]


def frame_of(trans_params: Float[np.ndarray, "6"]) -> SimilarityFrame:
    """The frame of FFHQ-UV's `trans_params`: width, height, scale, t_x, t_y and the crop's size."""
    return SimilarityFrame(np.asarray(trans_params[:5], np.float64), int(trans_params[5]))


def crop(image: Picture, frame: SimilarityFrame) -> Picture:
    """The square that a reconstruction network sees."""
    _check(image, frame)
    return resized_window(image, frame.resized, frame.box)


def large_crop(image: Picture, frame: SimilarityFrame) -> Picture:
    """The same view in as many pixels as the photograph has: its width and height, scaled by width / crop size."""
    width, height = _check(image, frame)
    ratio = width / frame.size
    resized = (round(frame.resized[0] * ratio), round(frame.resized[1] * ratio))
    left, upper = round(frame.box[0] * ratio), round(frame.box[1] * ratio)
    return resized_window(image, resized, (left, upper, left + width, upper + height))


def to_photograph(projected: Points, frame: SimilarityFrame) -> Float[np.ndarray, "point 2"]:
    """Projected points (pixels of the crop, y up) in the photograph: y down, moved onto its pixels where outside."""
    there = frame.to_photograph(flip_rows(projected, frame.size))
    return np.clip(there, 0, frame.trans_params[:2] - 1).astype(np.float32)


def _check(image: Picture, frame: SimilarityFrame) -> tuple[int, int]:
    width, height = check_image(image)
    if (width, height) != tuple(frame.trans_params[:2].astype(int)):
        expected = " x ".join(str(int(side)) for side in frame.trans_params[:2])
        raise ValueError(f"image: got {width} x {height}, expected {expected}; is it the photograph that was cropped?")
    return width, height
