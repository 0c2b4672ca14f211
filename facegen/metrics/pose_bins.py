"""Bins of yaw and pitch, and how far the real and generated images of one bin are apart."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.metrics.frechet_interval import frechet_interval
from facegen.metrics.kernel import kernel_distance
from facegen.metrics.weighted_frechet import in_order, weighted_frechet

FEWEST_PER_COMPONENT = 2
_YAW = (-90, -60, -40, -25, -15, -5, 5, 15, 25, 40, 60, 90)
_PITCH = (-45, -25, -15, -5, 5, 15, 25, 45)
_MOST_DRAWS, _GROUPS = 16, 10


class PoseBins(NamedTuple):
    """Edges of bins in degrees. A bin holds its lower edge; the last one holds its upper edge too.

    With `fold_yaw`, left and right are one: |yaw| is binned, and its edges start at 0.
    """

    yaw_edges_degrees: tuple[float, ...] = _YAW
    pitch_edges_degrees: tuple[float, ...] = _PITCH
    fold_yaw: bool = False

    @staticmethod
    def coarse() -> "PoseBins":
        """Seven bins of yaw and three of pitch, for some thousand images."""
        return PoseBins((-90, -50, -30, -10, 10, 30, 50, 90), (-45, -10, 10, 45))

    @staticmethod
    def folded() -> "PoseBins":
        """The right half of the default bins, for both sides."""
        return PoseBins((0, *(edge for edge in _YAW if edge > 0)), fold_yaw=True)

    def checked(self) -> "PoseBins":
        """ValueError for edges that do not rise, or do not fit."""
        for name, edges in (("yaw", self.yaw_edges_degrees), ("pitch", self.pitch_edges_degrees)):
            if len(edges) < 2 or any(not low < high for low, high in pairwise(edges)):
                raise ValueError(f"{name} edges: got {list(edges)}, expected two or more rising numbers of degrees")
        if self.fold_yaw and self.yaw_edges_degrees[0] < 0:
            raise ValueError(f"yaw edges: got {self.yaw_edges_degrees[0]} with folded yaw, expected 0 or more")
        return self

    def places(self, angles: Float[Tensor, "images 2"]) -> Int[Tensor, "images 2"]:
        """Numbers of the yaw and of the pitch bin of each image; -1 outside."""
        degrees = torch.rad2deg(angles.double())
        yaw = degrees[:, 0].abs() if self.fold_yaw else degrees[:, 0]
        return torch.stack([_place(yaw, self.yaw_edges_degrees), _place(degrees[:, 1], self.pitch_edges_degrees)], 1)


class BinDistance(NamedTuple):
    """One bin; None where one of the sets has too few images there."""

    frechet: float | None  # in the leading components, without the bias of order 1 / images
    standard_error: float | None
    frechet_all: float | None  # of all features, as it is: biased, by about as much in each bin
    kernel: float | None  # of all features, unbiased
    kernel_error: float | None
    num_real: int
    num_generated: int


def bin_distance(
    real: Float[Tensor, "real features"],
    generated: Float[Tensor, "generated features"],
    axes: Float[Tensor, "features components"] | None,
    num_per_bin: int,
    seed: int,
) -> BinDistance:
    """Distances of two sets by draws of `num_per_bin` images of each, at most 16 draws and no image in two."""
    counts = len(real), len(generated)
    draws = min(min(counts) // num_per_bin, _MOST_DRAWS)
    if draws == 0:
        return BinDistance(None, None, None, None, None, *counts)
    source = torch.Generator().manual_seed(seed)
    real, generated = (_drawn(rows, draws * num_per_bin, source) for rows in (real, generated))
    found, whole = [], []
    for pair in zip(real.split(num_per_bin), generated.split(num_per_bin), strict=True):
        shown = pair if axes is None else tuple(rows.double() @ axes for rows in pair)
        found.append(frechet_interval(*shown, replicates=min(_GROUPS, num_per_bin), seed=seed))
        whole.append(float(weighted_frechet(*pair)))
    kernel = kernel_distance(real, generated)
    error = math.sqrt(sum(each.standard_error**2 for each in found)) / draws
    corrected = math.fsum(each.corrected for each in found) / draws
    everything = math.fsum(whole) / draws
    return BinDistance(corrected, error, everything, float(kernel.value), float(kernel.standard_error), *counts)


def _drawn(features: Tensor, number: int, source: torch.Generator) -> Tensor:
    chosen = torch.randperm(len(features), generator=source)[:number].to(features.device)
    return features[in_order(features)[chosen]]


def _place(degrees: Tensor, edges: tuple[float, ...]) -> Tensor:
    """Number of the bin that holds each angle, or -1."""
    borders = torch.tensor(edges, dtype=torch.float64, device=degrees.device)
    found = torch.searchsorted(borders, degrees.contiguous(), right=True) - 1
    found = torch.where(degrees == borders[-1], len(edges) - 2, found)
    return torch.where(found < len(edges) - 1, found, -1)
