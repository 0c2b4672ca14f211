"""A Fréchet distance with its sampling error and without most of its bias, for weighted images too.

The distance is too large by an amount that falls with the number of images, and resampling adds the same amount again:
percentile intervals miss the truth where images are few. `docs/metrics_pose.md` has the coverage of each kind.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from facegen.metrics.weighted_frechet import Side, distance, sides_of

Method = Literal["jackknife", "bootstrap"]

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
    if method == "bootstrap" and real_clusters is not None:
        raise ValueError("real_clusters: expected none with method='bootstrap', which draws single images")
    sides = sides_of(real, generated, real_weights, generated_weights, real_clusters)
    value = float(distance(*(side.spread() for side in sides)))
    again, summary = (_jackknife, _of_jackknife) if method == "jackknife" else (_bootstrap, _of_bootstrap)
    source = torch.Generator().manual_seed(seed)
    found = tqdm(again(sides, replicates, source), "interval", replicates, unit="draw", delay=1, disable=not progress)
    corrected, error, reach, bounds = summary(value, torch.stack(list(found)).cpu())
    around = (value - reach, value + reach)
    return FrechetInterval(value, around, corrected, bounds, error, *(side.effective_size for side in sides))


def _jackknife(sides: tuple[Side, Side], groups: int, source: torch.Generator) -> Iterator[Tensor]:
    """Distances without one group of each set."""
    dealt = [_dealt(side.clusters.cpu(), groups, source) for side in sides]
    for number in range(groups):
        yield distance(*(side.without(group == number) for side, group in zip(sides, dealt, strict=True)))


def _dealt(clusters: Int[Tensor, " images"], groups: int, source: torch.Generator) -> Int[Tensor, " images"]:
    """Number of each image's group; groups are as large as each other to within one cluster."""
    unique, member = torch.unique(clusters, return_inverse=True)
    if len(unique) < groups:
        raise ValueError(f"replicates: got {groups} groups for {len(unique)} independent images; expected no more")
    return (torch.randperm(len(unique), generator=source) % groups)[member]


def _bootstrap(sides: tuple[Side, Side], draws: int, source: torch.Generator) -> Iterator[Tensor]:
    """Distances of images drawn with replacement."""
    for _ in range(draws):
        numbers = [torch.randint(len(side.weights), (len(side.weights),), generator=source) for side in sides]
        yield distance(*(side.at(index).spread() for side, index in zip(sides, numbers, strict=True)))


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
