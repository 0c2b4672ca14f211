"""The square around a face from its five points, by the small network before Deep3DFaceRecon's 68-point detector."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_SIZE = 224.0  # pixels of the crop whose scale the network states


class BoxRegression(NamedTuple):
    """Weights of one tansig and one linear layer; they come with Deep3DFaceRecon and are not part of facegen."""

    hidden_weight: Float[np.ndarray, "hidden 10"]
    hidden_bias: Float[np.ndarray, "hidden 1"]
    output_weight: Float[np.ndarray, "3 hidden"]
    output_bias: Float[np.ndarray, "3 1"]


def face_box(points: Float[np.ndarray, "5 2"], regression: BoxRegression) -> Float[np.ndarray, "4"]:
    """Left, upper, width, height (both the same) in pixels from the five points (y down).

    1. The points are centred and divided by their root mean square distance from the centre.
    2. The network gives the corner in that unit, and the scale 224 / width.
    Raises ValueError for other shapes and for points that coincide or are not finite.
    """
    points = np.asarray(points, np.float64)
    if points.shape != (5, 2):
        raise ValueError(f"points: got shape {points.shape}, expected (5, 2)")
    centre = points.mean(axis=0)
    unit = np.sqrt(np.square(points - centre).sum(axis=1).mean())
    if not (np.isfinite(unit) and unit > 0):
        raise ValueError("points: they coincide or are not finite; detect the face again")
    hidden = np.tanh(regression.hidden_weight @ ((points - centre) / unit).reshape(10, 1) + regression.hidden_bias)
    left, upper, scale = (regression.output_weight @ hidden + regression.output_bias)[:, 0]
    width = _SIZE / scale * unit
    return np.array([*(centre + unit * np.array([left, upper])), width, width])
