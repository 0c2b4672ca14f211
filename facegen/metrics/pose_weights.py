"""Importance weights that give two sets of images the same distribution of poses (docs/metrics_pose.md, section 2)."""

import math
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

_NEXT_TO_NOTHING = 1e-100  # ratios to a density below it stay finite, and so do their sums

Target = Literal["overlap", "real", "generated"]


class PoseDensities(NamedTuple):
    """Densities of poses at the images of both sets, in one unit; columns: of the real set, of the generated set.

    They come from the caller, for example from `facegen.data.density.PoseDensity`. A kernel density of a set at its
    own images counts each image among its neighbours; `leave_one_out` takes it away.
    """

    real: Tensor  # (N, 2), at the real images
    generated: Tensor  # (M, 2), at the generated images


class Weights(NamedTuple):
    """Weights (N,) float64 around 1, and how many were cut down."""

    values: Tensor
    num_clipped: int


def leave_one_out(density: Float[Tensor, " images"], num_points: int, peak: float | Tensor) -> Float[Tensor, " images"]:
    """Density at each of `num_points` points by the others: a kernel density without the point's own kernel.

    `peak` is the height of one kernel (`PoseDensity.peak`). Never below zero.
    """
    return ((num_points * density - peak) / (num_points - 1)).clamp(min=0)


def pose_weights(
    own: Float[Tensor, " images"],
    other: Float[Tensor, " images"],
    target: Literal["overlap", "own", "other"],
    clip: float | None = None,
) -> Weights:
    """Weights of a set's images from the density of their poses in it and in the other set.

    `overlap`: other / (own + other), never above 1 (Li, Morgan and Zaslavsky 2018). `other`: other / own. `own`: 1.
    No weight exceeds `clip` times the mean, sqrt(N) by default (Ionides 2008). A pose of which neither density knows
    anything has weight 0. ValueError for negative or missing densities, and where nothing has a weight.
    """
    for values in (own, other):
        if not bool((torch.isfinite(values) & (values >= 0)).all()):
            raise ValueError("densities of poses: got NaN, infinite or negative ones, expected finite ones")
    own, other = own.double(), other.double()
    nothing = torch.zeros_like(own)
    if target == "own":
        return Weights(torch.ones_like(own), 0)
    if target == "overlap":
        raw = torch.where(own + other > 0, other / (own + other), nothing)
    else:
        raw = torch.where(other > 0, other / own.clamp(min=_NEXT_TO_NOTHING), nothing)
    # What has no density of its own would drown the mean.
    usual = raw[own > 0].mean() if bool((own > 0).any()) else raw.mean()
    if not float(usual) > 0:
        raise ValueError("densities of poses: no image has a pose that the other set has; the sets cannot be matched")
    most = (math.sqrt(len(raw)) if clip is None else clip) * usual
    clipped = raw.clamp(max=most) if target != "overlap" else raw
    return Weights(clipped / clipped.mean(), int((raw > clipped).sum()))


def matching_weights(densities: PoseDensities, target: Target, clip: float | None = None) -> tuple[Weights, Weights]:
    """Weights of the real and of the generated images under which both have the poses of `target`.

    `overlap`: poses that both have, in proportion to pR pG / (pR + pG); `real`: those of the real set, so that only
    generated images are weighted; `generated`: the other way round.
    """
    if target not in get_args(Target):
        raise ValueError(f"target: got {target!r}, expected one of: {', '.join(get_args(Target))}")
    if clip is not None and not clip >= 1:
        raise ValueError(f"clip: got {clip}, expected at least 1, in multiples of the mean weight")
    for name, values in zip(("real", "generated"), densities, strict=True):
        if values.ndim != 2 or values.shape[1] != 2:
            raise ValueError(f"densities at {name} images: got shape {tuple(values.shape)}, expected (N, 2)")
    at_real, at_generated = densities
    real = pose_weights(at_real[:, 0], at_real[:, 1], _side(target, "real"), clip)
    return real, pose_weights(at_generated[:, 1], at_generated[:, 0], _side(target, "generated"), clip)


def pose_gap(
    real: Float[Tensor, "real 2"],
    generated: Float[Tensor, "generated 2"],
    real_weights: Float[Tensor, " real"] | None = None,
    generated_weights: Float[Tensor, " generated"] | None = None,
) -> list[float]:
    """Largest difference of the cumulative distributions of yaw, and of pitch: 0 matched, 1 disjoint (Kolmogorov)."""
    gaps = []
    for first, second in zip(real.T.double(), generated.T.double(), strict=True):
        places = torch.cat([first, second]).unique()
        shares = [_cumulative(*each, places) for each in ((first, real_weights), (second, generated_weights))]
        gaps.append(float((shares[0] - shares[1]).abs().max()))
    return gaps


def _side(target: Target, name: str) -> Literal["overlap", "own", "other"]:
    if target == "overlap":
        return "overlap"
    return "own" if target == name else "other"


def _cumulative(values: Tensor, weights: Tensor | None, places: Tensor) -> Tensor:
    """Weighted share of values up to each of the sorted places."""
    factors = torch.ones_like(values) if weights is None else weights.to(values)
    at = torch.zeros_like(places).index_add_(0, torch.searchsorted(places, values.contiguous()), factors)
    return at.cumsum(0) / factors.sum()
