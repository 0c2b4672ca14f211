"""Pose-binned Fréchet distance: one number for each range of yaw and of pitch, and for each cell of both.

A Fréchet distance of few images is mostly bias, and the bias depends on how many there are. Bins are comparable here
because each is measured with the same number of images, in few enough dimensions that the bias can be corrected, and
because the kernel distance, which has none, stands beside it (docs/metrics_pose.md, section 1).
"""

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from facegen.metrics.kept_features import KeptRows
from facegen.metrics.pose_bins import FEWEST_PER_COMPONENT, BinDistance, PoseBins, bin_distance
from facegen.metrics.posed import Posed, leading_axes


class BinValues(NamedTuple):
    """The fields of `BinDistance` for all bins: lists, for a map lists of rows (pitch, yaw) of lists."""

    frechet: list
    standard_error: list
    frechet_all: list
    kernel: list
    kernel_error: list
    num_real: list
    num_generated: list


class BinnedDistance(NamedTuple):
    """Distances by pose. `yaw` is over all pitches within the edges, `pitch` over all yaws, `map` is (pitch, yaw)."""

    value: float | None  # mean of the yaw curve by width: as if all yaws in its bins were equally common
    weighted_by_real: float | None  # mean of the yaw curve by number of real images
    yaw: BinValues
    pitch: BinValues
    map: BinValues
    bins: PoseBins
    num_per_bin: int
    components: int | None
    num_outside: list[int]  # real and generated images in no bin, or of unknown pose
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        parts = {name: getattr(self, name)._asdict() for name in ("yaw", "pitch", "map")}
        return self._asdict() | parts | {"bins": self.bins._asdict()}


def binned_frechet(
    real: Posed,
    generated: Posed,
    bins: PoseBins | None = None,
    *,
    num_per_bin: int = 64,
    components: int | None = 32,
    seed: int = 0,
    progress: bool = False,
) -> BinnedDistance:
    """Distances between real and generated images of like pose (equations 2 and 3 of docs/metrics_pose.md).

    Each bin is measured with `num_per_bin` images of each set, and is None below that; larger ones are the mean of up
    to 16 such measurements of different images. `components` are the leading principal axes of all real features;
    None takes all features, whose bias is then corrected in part only. The order of
    images does not matter. ValueError for shapes and edges, and for fewer than two images for each component.
    """
    bins = (bins or PoseBins()).checked()
    if components is not None and num_per_bin < FEWEST_PER_COMPONENT * components:
        least = FEWEST_PER_COMPONENT * components
        raise ValueError(f"num_per_bin: got {num_per_bin} for {components} components, expected at least {least}")
    sets = [side.known(name) for name, side in (("real", real), ("generated", generated))]
    axes = None if components is None else leading_axes(sets[0].features, components)
    measure = partial(bin_distance, axes=axes, num_per_bin=num_per_bin, seed=seed)
    places = [bins.places(side.angles) for side in sets]
    yaw, pitch, both = _measured([side.features for side in sets], places, bins, measure, progress)
    outside = [
        len(side.features) - int((each >= 0).all(dim=1).sum())
        for side, each in zip((real, generated), places, strict=True)
    ]
    said = _warnings(yaw, bins, num_per_bin, outside)
    for line in said:
        warnings.warn(line, stacklevel=2)
    mean, by_real = _mean(yaw.frechet, _widths(bins.yaw_edges_degrees)), _mean(yaw.frechet, yaw.num_real)
    return BinnedDistance(mean, by_real, yaw, pitch, both, bins, num_per_bin, components, outside, said)


def _measured(
    features: list[Tensor],
    places: list[Tensor],
    bins: PoseBins,
    measure: Callable[[Tensor, Tensor], BinDistance],
    progress: bool,
) -> tuple[BinValues, BinValues, BinValues]:
    """Curves over yaw and pitch, and the map; `places` are the bins of the images of both sets."""
    num_yaw, num_pitch = len(bins.yaw_edges_degrees) - 1, len(bins.pitch_edges_degrees) - 1
    cells = [(yaw, None) for yaw in range(num_yaw)] + [(None, pitch) for pitch in range(num_pitch)]
    cells += list(product(range(num_yaw), range(num_pitch)))
    found = {}
    for cell in tqdm(cells, "poses", unit="bin", delay=1, disable=not progress):
        real, generated = (rows[_inside(each, *cell)] for rows, each in zip(features, places, strict=True))
        found[cell] = measure(real, generated)
    rows = [_joined([found[yaw, pitch] for yaw in range(num_yaw)]) for pitch in range(num_pitch)]
    by_yaw = _joined([found[yaw, None] for yaw in range(num_yaw)])
    return by_yaw, _joined([found[None, pitch] for pitch in range(num_pitch)]), _joined(rows)


def common_means(results: Sequence[BinnedDistance]) -> list[float] | None:
    """`value` of each result over the yaw bins that all of them could measure; None where there is none.

    Means over different bins say nothing about which generator is better. ValueError for results with other bins.
    """
    if len({(each.bins, each.num_per_bin, each.components) for each in results}) > 1:
        raise ValueError("pose-binned distances: got other bins, num_per_bin or components, expected the same for all")
    everywhere = [None not in values for values in zip(*(each.yaw.frechet for each in results), strict=True)]
    weights = [
        width * shared for width, shared in zip(_widths(results[0].bins.yaw_edges_degrees), everywhere, strict=True)
    ]
    means = [_mean(each.yaw.frechet, weights) for each in results]
    return [mean for mean in means if mean is not None] or None


def _inside(places: Tensor, yaw: int | None, pitch: int | None) -> Tensor:
    """Mask of the images in one bin of yaw, pitch, or both; images outside the edges of either are in none."""
    mask = (places >= 0).all(dim=1)
    for column, number in enumerate((yaw, pitch)):
        mask = mask if number is None else mask & (places[:, column] == number)
    return mask


def _joined(bins: Sequence[BinDistance | BinValues]) -> BinValues:
    return BinValues(*(list(values) for values in zip(*bins, strict=True)))


def _widths(edges: Sequence[float]) -> list[float]:
    return [high - low for low, high in pairwise(edges)]


def _mean(values: list[float | None], weights: Sequence[float]) -> float | None:
    """Weighted mean of the bins that have a value."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    total = math.fsum(weight for _, weight in known)
    return math.fsum(value * weight for value, weight in known) / total if total else None


def _warnings(curve: BinValues, bins: PoseBins, num_per_bin: int, outside: list[int]) -> list[str]:
    """What a reader of the curve has to know; no line where all is well."""
    said = []
    names = [f"{low:g} to {high:g}" for low, high in pairwise(bins.yaw_edges_degrees)]
    empty = [name for name, value in zip(names, curve.frechet, strict=True) if value is None]
    if empty:
        counts = f"fewer than {num_per_bin} real or generated images"
        said.append(f"pose-binned distance: {counts} at yaw {', '.join(empty)} degrees; left out of the mean")
    for name, number in zip(("real", "generated"), outside, strict=True):
        if number:
            said.append(f"pose-binned distance: {number} {name} images lie outside the edges or have no pose")
    return said


class PoseBinnedFrechet(KeptRows):
    """`binned_frechet` of all images seen. `update(features, angles, real=...)`; options as there."""

    higher_is_better = False

    def __init__(self, bins: PoseBins | None = None, options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__({"features": torch.float32, "angles": torch.float64}, **kwargs)
        self.bins, self.options = bins, options or {}

    def update(self, features: Tensor, angles: Tensor, real: bool) -> None:
        """Features (N, F), and yaw and pitch (N, 2) in radians; see `Posed`."""
        self.keep(real, features, angles)

    def compute(self) -> BinnedDistance:
        return binned_frechet(Posed(*self.rows(True)), Posed(*self.rows(False)), self.bins, **self.options)
