"""What can be said of pictures without a network: colour, contrast and variety; and pixels as features."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn

from facegen.metrics.extractors import Extractor

SIDE = 4


class _Shrink:
    def __call__(self, images: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 4 4"]:
        return F.adaptive_avg_pool2d(images.float(), SIDE) / 127.5 - 1


def pixel_extractor() -> Extractor:
    """Means over a grid of 4 x 4 cells in [-1, 1]: 48 features without weights, for tests and for a first look."""
    protocol = {"definition": f"means over {SIDE} x {SIDE} cells", "normalisation": "x / 127.5 - 1"}
    return Extractor("pixels", 3 * SIDE**2, _Shrink(), nn.Identity(), protocol)


def pixel_rows(images: UInt8[Tensor, "batch 3 height width"]) -> NDArray[np.float64]:
    """For each picture (N, 7): mean and mean square of each channel, and the RMS difference to the one before.

    The first of a batch has no picture before it: NaN.
    """
    values = images.double()
    steps = (values[1:] - values[:-1]).square().mean((1, 2, 3)).sqrt()
    steps = torch.cat([torch.full((1,), torch.nan, dtype=steps.dtype, device=steps.device), steps])
    rows = torch.cat([values.mean((2, 3)), values.square().mean((2, 3)), steps[:, None]], dim=1)
    return rows.cpu().numpy()


def pixel_statistics(rows: NDArray[np.float64]) -> dict[str, Any]:
    """Mean and deviation per channel over all pixels, and the mean difference of neighbours, in 8-bit units."""
    means, squares = rows[:, :3].mean(0), rows[:, 3:6].mean(0)
    deviation = np.sqrt(np.maximum(squares - means**2, 0))
    steps = rows[:, 6][np.isfinite(rows[:, 6])]
    return {
        "mean": [round(float(v), 2) for v in means],
        "deviation": [round(float(v), 2) for v in deviation],
        "variety": round(float(steps.mean()), 2) if len(steps) else None,
    }
