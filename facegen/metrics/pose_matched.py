"""Pose-matched Fréchet distance: what is left of a distance when both sets are given the same distribution of poses."""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from facegen.metrics.frechet_interval import FrechetInterval, Method, frechet_interval
from facegen.metrics.kept_features import KeptRows
from facegen.metrics.pose_weights import PoseDensities, Target, Weights, matching_weights, pose_gap
from facegen.metrics.posed import Posed, leading_axes

_LEAST_SHARE = 0.1  # of the images, below which few of them decide


class MatchedDistance(NamedTuple):
    """See `frechet_interval.FrechetInterval` for the two kinds of intervals; all plain numbers."""

    target: Target
    matched: FrechetInterval
    unmatched: FrechetInterval  # the same images, all weights one
    num_real: int
    num_generated: int
    pose_gap: list[float]  # of yaw and of pitch, after weighting; see `pose_weights.pose_gap`
    unmatched_pose_gap: list[float]
    num_clipped: list[int]  # weights cut down, of real and of generated images
    components: int | None  # principal axes of the real features; None: all features
    warnings: list[str]

    @property
    def value(self) -> float:
        return self.matched.value

    @property
    def interval(self) -> tuple[float, float]:
        return self.matched.interval

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        nested = {"matched": self.matched._asdict(), "unmatched": self.unmatched._asdict()}
        return self._asdict() | nested


def matched_frechet(
    real: Posed,
    generated: Posed,
    densities: PoseDensities,
    target: Target = "overlap",
    *,
    clip: float | None = None,
    components: int | None = None,
    method: Method = "jackknife",
    replicates: int = 20,
    seed: int = 0,
    progress: bool = False,
) -> MatchedDistance:
    """Fréchet distance under weights that give both sets the poses of `target` (section 2 of docs/metrics_pose.md).

    `densities` has a row for each image. `components` projects on principal axes of the real features first, where
    images are too few for all. The other options are those of `pose_weights` and `frechet_interval`. ValueError for
    poses that are not known and for sets without common poses; a warning where few images carry the weight.
    """
    for name, side, rows in zip(("real", "generated"), (real, generated), densities, strict=True):
        if len(side.known(name).features) != len(side.features):
            raise ValueError(f"{name}: some angles are not finite; leave out images of unknown pose")
        if len(rows) != len(side.features):
            raise ValueError(f"densities at {name} images: got {len(rows)}, expected {len(side.features)}")
    weights = matching_weights(densities, target, clip)
    first, second = real.features, generated.features
    if components is not None:
        axes = leading_axes(real.features, components)
        first, second = first.double() @ axes, second.double() @ axes
    options: dict[str, Any] = {"method": method, "replicates": replicates, "seed": seed, "progress": progress}
    matched = frechet_interval(first, second, weights[0].values, weights[1].values, **options)
    said = _warnings(matched, weights, first.shape[1])
    for line in said:
        warnings.warn(line, stacklevel=2)
    return MatchedDistance(
        target,
        matched,
        frechet_interval(first, second, **options),
        len(real.features),
        len(generated.features),
        pose_gap(real.angles, generated.angles, weights[0].values, weights[1].values),
        pose_gap(real.angles, generated.angles),
        [each.num_clipped for each in weights],
        components,
        said,
    )


def _warnings(matched: FrechetInterval, weights: tuple[Weights, Weights], num_features: int) -> list[str]:
    said = []
    sizes = {"real": matched.effective_real, "generated": matched.effective_generated}
    for (name, size), each in zip(sizes.items(), weights, strict=True):
        images = f"pose-matched distance: the {len(each.values)} {name} images weigh as much as {size:.0f}"
        if size < _LEAST_SHARE * len(each.values):
            said.append(f"{images}; the sets hardly share poses")
        if size <= num_features:
            said.append(f"{images}, which is no more than the {num_features} features; `corrected` keeps some bias")
        if each.num_clipped:
            said.append(f"pose-matched distance: {each.num_clipped} weights of {name} images were clipped")
    return said


class PoseMatchedFrechet(KeptRows):
    """`matched_frechet` of all images seen. `update(features, angles, densities, real=...)`; options as there."""

    higher_is_better = False

    def __init__(self, target: Target = "overlap", options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        parts = {"features": torch.float32, "angles": torch.float64, "densities": torch.float64}
        super().__init__(parts, **kwargs)
        self.target: Target = target
        self.options = options or {}

    def update(self, features: Tensor, angles: Tensor, densities: Tensor, real: bool) -> None:
        """Features (N, F), angles (N, 2) in radians, densities (N, 2) of the real and of the generated set."""
        self.keep(real, features, angles, densities)

    def compute(self) -> MatchedDistance:
        (*real, at_real), (*generated, at_generated) = self.rows(True), self.rows(False)
        densities = PoseDensities(at_real, at_generated)
        return matched_frechet(Posed(*real), Posed(*generated), densities, self.target, **self.options)
