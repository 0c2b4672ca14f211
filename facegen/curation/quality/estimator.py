"""Quality and blur of a picture of a face, from its statistics, by a small network that was fitted to known damage.

Fitted by `experiments/curation/quality_fit.py` to faces that were blurred, enlarged, made noisy and compressed by known
amounts. `quality` estimates, without seeing it, how similar in structure the picture is to a clean one (SSIM of Wang et
al. 2004 at its size and half of it, weighted with local deviations). `blur`: standard deviation of the Gaussian that
would make a sharp picture as soft.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from facegen.curation.quality.statistics import statistics

VERSION = 1  # raise it with new weights
OFFSET = 0.25  # pixels: blur is estimated as log(OFFSET + sigma)
_WEIGHTS = Path(__file__).with_name("quality.npz")
_FARTHEST = 5.0  # standard deviations: statistics beyond what was fitted to


class Judged(NamedTuple):
    """`quality` in [0, 1], 1 as clean as can be; `blur` in pixels of the picture that was judged, 0 sharp."""

    quality: float
    blur: float


def judge(pixels: UInt8[np.ndarray, "height width 3"]) -> Judged:
    """Quality and blur of the square of a face. Raises ValueError for fewer than 16 pixels a side."""
    weights = _weights()
    numbers = statistics(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    values = np.clip((numbers - weights["mean"]) / weights["std"], -_FARTHEST, _FARTHEST)
    for layer in range(3):
        values = weights[f"layer{layer}_weight"] @ values + weights[f"layer{layer}_bias"]
        values = values / (1 + np.exp(-values)) if layer < 2 else values
    return Judged(float(np.clip(values[0], 0, 1)), float(max(np.exp(values[1]) - OFFSET, 0)))


@lru_cache(maxsize=1)
def _weights() -> dict[str, Float[np.ndarray, "..."]]:
    with np.load(_WEIGHTS, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
