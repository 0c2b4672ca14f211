"""Sketches as one would draw them: the published filter's edges, simplified to clean lines.

Multi-Modal-CelebA-HQ's authors clean the filter's output with the trained network of Simo-Serra et al. Here the same is
done in the open: noise below two thresholds goes, what is left is thinned to lines of one pixel, short lines go, and
the rest is drawn anew with a round pen, as dark as the edge was.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from facegen.data.sketches import sketch

Gray = Float[np.ndarray, "height width"]
Lines = Bool[np.ndarray, "height width"]

VERSION = 1  # of what is drawn
_EVEN = 1e-3  # contrast of an even picture, whose noise is not to be enhanced
_LEAST, _MOST = 256, 1024  # side in pixels at which lines are found


class Pen(NamedTuple):
    """How a sketch is simplified. Lengths are for pictures of 512 pixels and go with their size.

    smooth: standard deviation of the Gaussian blur before edges are looked for; 0 leaves skin and hair as they are.
    ridge: that of the blur under which edges become lines; thinner ones merge. weak, strong: contrast 0 to 1 of lines,
    1 for the clearest percent; weak ones stay where they join a strong one. shortest: lines of fewer pixels go.
    width: of the drawn lines, one pixel of the result at least.
    """

    smooth: float = 1.2
    ridge: float = 2.0
    weak: float = 0.2
    strong: float = 0.5
    shortest: float = 22.0
    width: float = 2.0


PEN = Pen()


def simplified_sketch(image: UInt8[np.ndarray, "height width 3"], pen: Pen = PEN) -> UInt8[np.ndarray, "height width"]:
    """Dark lines on white of an RGB picture, of its size. Raises ValueError for a pen out of range."""
    _check(pen)
    height, width = image.shape[:2]
    enlarged = min(max(height, width, _LEAST), _MOST) / max(height, width)
    size = (max(round(width * enlarged), 1), max(round(height * enlarged), 1))
    scale = max(size) / 512
    large = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    contrast = _contrast(_darkness(large, pen.smooth * scale), pen.ridge * scale)
    lines = _long(_thin(contrast, pen), pen.shortest * scale)
    drawn = _drawn(lines, contrast, max(pen.width * scale, enlarged))
    return np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _check(pen: Pen) -> None:
    if not (0 < pen.weak <= pen.strong <= 1 and min(pen.width, pen.ridge) > 0 and min(pen.shortest, pen.smooth) >= 0):
        raise ValueError(f"sketch: got {pen}, expected 0 < weak <= strong <= 1 and lengths above 0")


def _darkness(image: UInt8[np.ndarray, "height width 3"], smooth: float) -> Gray:
    """How dark the published filter draws each pixel, 0 to 1."""
    calm = np.asarray(cv2.GaussianBlur(image, (0, 0), smooth) if smooth > 0 else image, dtype=np.uint8)
    return (255 - sketch(calm)).astype(np.float32) / 255


def _contrast(darkness: Gray, ridge: float) -> Gray:
    """How clearly each pixel lies on a dark line, 0 to 1: curvature across the line, compared with its surroundings.

    The larger eigenvalue of the Hessian, negated, of the blurred darkness. Compared with the surroundings, the soft
    lines of a nose count as much as those of an outline, and the many of hair for less.
    """
    soft = np.asarray(cv2.GaussianBlur(darkness, (0, 0), ridge))
    xx, yy, xy = (np.asarray(cv2.Sobel(soft, cv2.CV_32F, *order, ksize=3)) for order in ((2, 0), (0, 2), (1, 1)))
    across = np.maximum(np.sqrt((xx - yy) ** 2 / 4 + xy**2) - (xx + yy) / 2, 0) * ridge**2
    around = np.asarray(cv2.GaussianBlur(across, (0, 0), 12 * ridge))
    relative = across / (around + float(across.mean()) + _EVEN)
    return np.minimum(relative / max(float(np.quantile(relative, 0.99)), _EVEN), 1)


def _thin(contrast: Gray, pen: Pen) -> Lines:
    """Lines of one pixel (Zhang and Suen 1984) where contrast is strong, or weak and joined to strong."""
    from skimage.filters import apply_hysteresis_threshold  # half a second
    from skimage.morphology import skeletonize

    return skeletonize(apply_hysteresis_threshold(contrast, pen.weak, pen.strong))


def _long(lines: Lines, shortest: float) -> Lines:
    """Those lines whose connected pixels are at least so many."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    keep = np.asarray(statistics)[:, cv2.CC_STAT_AREA] >= shortest
    keep[0] = False  # the background
    return keep[np.asarray(labels, dtype=np.int32)]


def _drawn(lines: Lines, contrast: Gray, width: float) -> UInt8[np.ndarray, "height width"]:
    """Lines with a round pen, darker where they are clearer, falling off over the last pixel."""
    if not lines.any():
        return np.full(lines.shape, 255, np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(
        (~lines).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    tone = np.asarray(cv2.GaussianBlur(contrast, (0, 0), width))
    # The library numbers the pixels of lines from 1 in their order.
    tones = np.concatenate([[0], np.clip(0.4 + tone[lines], 0, 1)])
    ink = np.clip((width + 1) / 2 - np.asarray(distance), 0, 1) * tones[np.asarray(nearest, dtype=np.int32)]
    return np.asarray(np.round(255 * (1 - ink)), dtype=np.uint8)
