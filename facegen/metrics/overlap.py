"""How well found masks of face parts cover the asked ones: intersection over union."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric


class Overlap(NamedTuple):
    """Intersection over union, 0 to 1; NaN where no asked mask shows anything."""

    mean: Float[Tensor, ""]  # over the parts but the first, the background, that some asked mask shows
    parts: Float[Tensor, " part"]


class MaskIoU(Metric):
    """Intersections and unions over all pixels of all pictures, part by part, then their ratio and its mean.

    Parts that no asked mask shows are left out: pixels that are wrongly found there count in the unions of the parts
    that they were taken from. num_parts: ids are 0 to num_parts - 1; 0 is the background.
    """

    full_state_update = False
    confusion: Tensor

    def __init__(self, num_parts: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_parts = num_parts
        self.add_state("confusion", torch.zeros(num_parts, num_parts, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, found: Int[Tensor, "batch 1 height width"], asked: Int[Tensor, "batch 1 height width"]) -> None:
        """Add pictures. Raises ValueError for masks of different sizes and for ids beyond the parts."""
        if found.shape != asked.shape:
            raise ValueError(f"MaskIoU: got masks {tuple(found.shape)} and {tuple(asked.shape)}, expected one shape")
        for ids in (found, asked):
            if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.num_parts:
                got = f"{int(ids.min())} to {int(ids.max())}"
                raise ValueError(f"MaskIoU: got the ids {got}, expected 0 to {self.num_parts - 1}")
        pairs = asked.flatten().long() * self.num_parts + found.flatten().long()
        counts = torch.bincount(pairs, minlength=self.num_parts**2)
        self.confusion += counts.reshape(self.num_parts, self.num_parts).to(self.confusion)

    def compute(self) -> Overlap:
        """The ratio for each part, and its mean."""
        return overlap(self.confusion)


def overlap(confusion: Float[Tensor, "asked found"]) -> Overlap:
    """Intersection over union from the pixels of each pair of asked and found parts."""
    both, asked = confusion.diagonal(), confusion.sum(dim=1)
    parts = torch.where(asked > 0, both / (asked + confusion.sum(dim=0) - both), torch.nan)
    return Overlap(parts[1:].nanmean(), parts)
