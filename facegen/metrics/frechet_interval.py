"""A Fréchet distance with its sampling error and without most of its bias, for weighted images too.

The distance is too large by an amount that falls with the number of images, and resampling adds the same amount again:
percentile intervals miss the truth almost always. `docs/metrics_pose.md` has the coverage of each kind of interval.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.metrics.frechet import Gaussian
from facegen.metrics.moments import Moments

Method = Literal["jackknife", "bootstrap"]

_FEWEST = 4  # images of each set
_CONFIDENCE = 0.95


class FrechetInterval(NamedTuple):
    """A Fréchet distance and what is known of it; all plain floats."""

    value: float  # the distance of these images, biased upwards as every such distance is
    interval: tuple[float, float]  # 95 %: what other images of the same two kinds, as many, would have given
    corrected: float  # without the bias of order 1 / images; below zero where the sets are as good as equal
    corrected_interval: tuple[float, float]  # 95 %: the distance of infinitely many images
    standard_error: float
    effective_real: float  # number of equally weighted images that say as much
    effective_generated: float


class _Side(NamedTuple):
    """One set: centred features (N, F) and weights (N,) in float64."""

    features: Tensor
    weights: Tensor

    def at(self, index: Tensor) -> "_Side":
        return _Side(self.features[index], self.weights[index])


class _Spread(NamedTuple):
    """Mean (F,) and covariance of weighted features, as F^T F of `rows` where those are fewer, else as a matrix."""

    mean: Tensor
    trace: Tensor
    rows: Tensor | None
    covariance: Tensor | None

    @staticmethod
    def of(side: _Side) -> "_Spread":
        if len(side.features) > side.features.shape[1]:
            return _Spread.of_moments(Moments.of(side.features, side.weights))
        weights = side.weights / side.weights.sum()
        mean = weights @ side.features
        rows = (weights / (1 - weights.square().sum())).sqrt()[:, None] * (side.features - mean)
        return _Spread(mean, rows.square().sum(), rows, None)

    @staticmethod
    def of_moments(moments: Moments) -> "_Spread":
        covariance = moments.covariance
        return _Spread(moments.mean, covariance.trace(), None, covariance)


@torch.no_grad()
def frechet_interval(
    real: Float[Tensor, "real features"],
    generated: Float[Tensor, "generated features"],
    real_weights: Float[Tensor, " real"] | None = None,
    generated_weights: Float[Tensor, " generated"] | None = None,
    *,
    method: Method = "jackknife",
    replicates: int = 20,
    seed: int = 0,
    real_clusters: Int[Tensor, " real"] | None = None,
    progress: bool = False,
) -> FrechetInterval:
    """Fréchet distance of features, with standard error and 95 % intervals; weights are importance weights.

    `jackknife` (Quenouille 1956, Tukey 1958) deals each set into `replicates` groups and leaves out one of each at a
    time; `bootstrap` (Efron 1979) draws images with replacement `replicates` times and reflects the quantiles.
    Images with the same number in `real_clusters` (an image and its mirror image) stay together; jackknife only.
    The result depends on `seed` alone. ValueError for fewer than four images with a weight, or two replicates.
    """
    if method not in get_args(Method):
        raise ValueError(f"method: got {method!r}, expected one of: {', '.join(get_args(Method))}")
    if replicates < 2:
        raise ValueError(f"replicates: got {replicates}, expected 2 or more")
    sides, clusters = _sides((real, generated), (real_weights, generated_weights), (real_clusters, None))
    value = _distance(*map(_Spread.of, sides))
    source = torch.Generator().manual_seed(seed)
    again = _jackknife if method == "jackknife" else _bootstrap
    found = list(_shown(again(sides, clusters, replicates, source), replicates, progress))
    summary = _of_jackknife if method == "jackknife" else _of_bootstrap
    return _result(float(value), *summary(float(value), torch.stack(found).cpu()), sides)


@torch.no_grad()
def weighted_frechet(
    real: Float[Tensor, "real features"],
    generated: Float[Tensor, "generated features"],
    real_weights: Float[Tensor, " real"] | None = None,
    generated_weights: Float[Tensor, " generated"] | None = None,
) -> Float[Tensor, ""]:
    """Fréchet distance of weighted features; quicker than by covariances where images are fewer than features."""
    sides, _ = _sides((real, generated), (real_weights, generated_weights), (None, None))
    return _distance(*map(_Spread.of, sides))


def in_order(features: Float[Tensor, "images features"]) -> Int[Tensor, " images"]:
    """An order of images that does not depend on the one in which processes gathered them."""
    return torch.argsort(features.double().sum(dim=1), stable=True)


def _sides(features: tuple, weights: tuple, clusters: tuple) -> tuple[list[_Side], list[Tensor]]:
    """Images that have a weight, around the mean of the real ones, where sums of squares lose no digits."""
    sides, kept_clusters, centre = [], [], None
    for name, rows, given, ids in zip(("real", "generated"), features, weights, clusters, strict=True):
        moments = Moments.of(rows, given)
        centre = moments.mean if centre is None else centre
        if centre.shape != moments.mean.shape:
            sizes = f"{len(centre)} and {len(moments.mean)}"
            raise ValueError(f"real, generated: got {sizes} features, expected as many; was one extractor used?")
        factors = torch.ones(len(rows), device=rows.device) if given is None else torch.as_tensor(given)
        kept = factors.to(rows.device).double() > 0
        if int(kept.sum()) < _FEWEST:
            raise ValueError(f"{name}: got {int(kept.sum())} images with a weight, expected at least {_FEWEST}")
        order = in_order(rows)
        order = order[kept[order]]
        sides.append(_Side(rows[order].double() - centre, factors.to(rows.device).double()[order]))
        kept_clusters.append(torch.arange(len(order)) if ids is None else torch.as_tensor(ids).cpu()[order.cpu()])
    return sides, kept_clusters


def _distance(real: _Spread, generated: _Spread) -> Float[Tensor, ""]:
    """Equation 1 of docs/metrics_pose.md."""
    means = (real.mean - generated.mean).square().sum()
    return means + real.trace + generated.trace - 2 * _cross(real, generated)


def _cross(first: _Spread, second: _Spread) -> Float[Tensor, ""]:
    """tr sqrt(S1 S2), from the eigenvalues of a symmetric matrix that is as small as the data allow."""
    if first.rows is None and second.rows is None:
        first = first._replace(rows=_factor(first))
    if first.rows is None:
        first, second = second, first
    assert first.rows is not None
    if second.rows is not None:
        mixed = first.rows @ second.rows.T
        square = mixed @ mixed.T if len(mixed) <= mixed.shape[1] else mixed.T @ mixed
    else:
        assert second.covariance is not None
        square = first.rows @ second.covariance @ first.rows.T
    return torch.linalg.eigvalsh(square).clamp(min=0).sqrt().sum()


def _factor(spread: _Spread) -> Float[Tensor, "rank features"]:
    """R with R^T R = covariance; by eigenvectors where features are constant or depend on each other."""
    assert spread.covariance is not None
    gaussian = Gaussian(spread.mean, spread.covariance)
    return (gaussian.factor if gaussian.cholesky is None else gaussian.cholesky).T


def _jackknife(
    sides: list[_Side], clusters: list[Tensor], replicates: int, source: torch.Generator
) -> Iterator[Tensor]:
    """Distances without one group of each set."""
    groups = [_dealt(ids, replicates, source) for ids in clusters]
    without = [_leaving(side) for side in sides]
    for number in range(replicates):
        yield _distance(*(left(group == number) for left, group in zip(without, groups, strict=True)))


def _leaving(side: _Side) -> Callable[[Tensor], _Spread]:
    """Gives the spread of all images but some: sums minus theirs where there are more images than features."""
    if len(side.features) <= side.features.shape[1]:
        return lambda out: _Spread.of(side.at(~out.to(side.weights.device)))
    whole = Moments.of(side.features, side.weights)

    def leave(out: Tensor) -> _Spread:
        part = side.at(out.to(side.weights.device))
        without = zip(whole, Moments.of(part.features, part.weights), strict=True)
        return _Spread.of_moments(Moments(*(all_of - gone for all_of, gone in without)))

    return leave


def _dealt(clusters: Int[Tensor, " images"], groups: int, source: torch.Generator) -> Int[Tensor, " images"]:
    """Number of each image's group; groups are as large as each other to within one cluster."""
    unique, member = torch.unique(clusters, return_inverse=True)
    if len(unique) < groups:
        raise ValueError(f"replicates: got {groups} groups for {len(unique)} independent images; expected no more")
    return (torch.randperm(len(unique), generator=source) % groups)[member]


def _bootstrap(
    sides: list[_Side], clusters: list[Tensor], replicates: int, source: torch.Generator
) -> Iterator[Tensor]:
    """Distances of images drawn with replacement."""
    for _ in range(replicates):
        drawn = (torch.randint(len(ids), (len(ids),), generator=source) for ids in clusters)
        yield _distance(
            *(_Spread.of(side.at(index.to(side.weights.device))) for side, index in zip(sides, drawn, strict=True))
        )


def _of_jackknife(value: float, left_out: Tensor) -> tuple[float, float, float, tuple[float, float]]:
    """Corrected value, standard error, reach of the interval in standard errors' multiples, corrected interval."""
    from scipy.special import stdtrit

    groups = len(left_out)
    corrected = groups * value - (groups - 1) * float(left_out.mean())
    error = float(((groups - 1) * left_out.var(correction=0)).sqrt())
    reach = float(stdtrit(groups - 1, (1 + _CONFIDENCE) / 2)) * error
    return corrected, error, reach, (corrected - reach, corrected + reach)


def _of_bootstrap(value: float, drawn: Tensor) -> tuple[float, float, float, tuple[float, float]]:
    """As `_of_jackknife`; the corrected interval is the reflected ("basic") one."""
    tail = (1 - _CONFIDENCE) / 2
    low, high = (float(torch.quantile(drawn, q)) for q in (tail, 1 - tail))
    error = float(drawn.std())
    normal = float(torch.special.ndtri(torch.tensor(1 - tail, dtype=torch.float64)))
    return 2 * value - float(drawn.mean()), error, normal * error, (2 * value - high, 2 * value - low)


def _result(
    value: float, corrected: float, error: float, reach: float, bounds: tuple[float, float], sides: list[_Side]
) -> FrechetInterval:
    sizes = [float(side.weights.sum().square() / side.weights.square().sum()) for side in sides]
    return FrechetInterval(value, (value - reach, value + reach), corrected, bounds, error, *sizes)


def _shown(values: Iterator[Tensor], total: int, progress: bool) -> Iterator[Tensor]:
    from tqdm import tqdm

    return iter(tqdm(values, desc="interval", total=total, unit="replicate", delay=1, disable=not progress))
