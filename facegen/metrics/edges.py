"""Whether a picture has the lines of a sketch: precision, recall and F1 of edges, with a tolerance in pixels."""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

DARKNESS = 64  # of 255: the least that counts as a line
_TOLERANCE = 0.0075  # of the diagonal, as in the benchmark of Martin et al. 2004


class EdgeAgreement(NamedTuple):
    """0 to 1; NaN where there are no edges to count."""

    f1: Tensor  # the harmonic mean of precision and recall; 0 where both are
    precision: Tensor  # share of found edges that are near an asked one
    recall: Tensor  # share of asked edges that are near a found one


class EdgeF1(Metric):
    """Edge pixels of all pictures, and how many of them are near one of the other side; then the ratios."""

    full_state_update = False
    counts: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("counts", torch.zeros(4, dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self, found: Bool[np.ndarray, "batch height width"], asked: Bool[np.ndarray, "batch height width"]
    ) -> None:
        """Add thin edges of pictures and of what they were asked for. Raises ValueError for different sizes."""
        if found.shape != asked.shape:
            raise ValueError(f"EdgeF1: got edges {found.shape} and {asked.shape}, expected one shape")
        for one, other in zip(found, asked, strict=True):
            counts = [one.sum(), near(one, other), other.sum(), near(other, one)]
            self.counts += torch.tensor(counts, dtype=torch.float64, device=self.counts.device)

    def compute(self) -> EdgeAgreement:
        """The ratios."""
        return edge_agreement(self.counts)


def edge_agreement(counts: Tensor) -> EdgeAgreement:
    """From the numbers (4,) of found edges, of those near an asked one, of asked edges, of those near a found one."""
    found, found_near, asked, asked_near = counts.double().unbind()
    precision, recall = found_near / found, asked_near / asked  # 0 / 0 is NaN
    both = precision + recall
    # Asked for lines and none found: nothing that could be precise, and a recall of 0.
    f1 = torch.where(both > 0, 2 * precision * recall / both, torch.where((found + asked) > 0, 0.0, torch.nan))
    return EdgeAgreement(f1, precision, recall)


def near(edges: Bool[np.ndarray, "height width"], others: Bool[np.ndarray, "height width"]) -> int:
    """How many edge pixels have one of the others within 0.75 % of the diagonal, or at the next pixel."""
    if not edges.any() or not others.any():
        return 0
    reach = max(_TOLERANCE * math.hypot(*edges.shape), math.sqrt(2))
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return int((np.asarray(distance)[edges] <= reach + 1e-3).sum())


def thin_edges(sketch: UInt8[np.ndarray, "height width"]) -> NDArray[np.bool_]:
    """The lines of a sketch, dark on white, one pixel wide."""
    from skimage.morphology import skeletonize

    return skeletonize(255 - sketch >= DARKNESS)
