"""How different generated pictures are from each other: the mean perceptual distance of random pairs."""

from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from facegen.losses.perceptual import PerceptualDistance
from facegen.metrics.means import SampleMean


def random_pairs(
    count: int, seed: int, groups: Int[Tensor, " count"] | None = None
) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]:
    """Indices of disjoint random pairs of `count` pictures, within the same group where `groups` are given.

    Each picture is in one pair at most, so that pairs are independent and their mean has an honest standard error.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    parts = [order] if groups is None else [order[groups.cpu()[order] == group] for group in groups.unique().cpu()]
    pairs = torch.cat([part[: len(part) // 2 * 2].view(-1, 2) for part in parts])
    return pairs[:, 0], pairs[:, 1]


class Diversity(SampleMean):
    """Mean distance of pairs of pictures, as LPIPS is used for it (Zhu et al. 2017), with its standard error.

    distance: see `facegen.losses.perceptual_distance`; its `name` belongs into the result's protocol.
    """

    def __init__(self, distance: PerceptualDistance, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.distance = distance

    @torch.no_grad()
    def update(
        self, first: UInt8[Tensor, "batch 3 height width"], second: UInt8[Tensor, "batch 3 height width"]
    ) -> None:
        """Add pairs of uint8 pictures, row by row."""
        if first.dtype != torch.uint8 or second.dtype != torch.uint8:
            raise ValueError(f"Diversity: got {first.dtype} and {second.dtype}, expected uint8 pictures")
        self.add(self.distance(first / 127.5 - 1, second / 127.5 - 1))
