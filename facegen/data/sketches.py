"""Sketches from photographs without Photoshop: the filter that Multi-Modal-CelebA-HQ publishes in its place.

Its authors clean the result with the sketch-simplification network of Simo-Serra et al., which is not part of this.
"""

import cv2
import numpy as np
from jaxtyping import UInt8


def sketch(
    image: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width"]:
    """Dark lines on white from an RGB or grey image.

    Gradients keep only their positive part, so each edge is found once in the image and once in its negative.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    edges = [_edges(np.asarray(picture)) for picture in (smooth, 255 - smooth)]
    return 255 - np.asarray(cv2.addWeighted(edges[0], 0.75, edges[1], 0.75, 0), dtype=np.uint8)


def _edges(grey: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Bitwise OR of the downward and rightward derivatives, each cut off to 0..255."""
    down, right = (cv2.Sobel(grey, cv2.CV_8U, *order, ksize=3) for order in ((0, 1), (1, 0)))
    return np.asarray(cv2.bitwise_or(down, right), dtype=np.uint8)
