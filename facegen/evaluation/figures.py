"""From stored rows to figures: each function takes the rows of real and generated pictures and knows no recipe."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facegen.evaluation.pixels import pixel_statistics
from facegen.evaluation.plan import Plan
from facegen.evaluation.store import SHARD
from facegen.metrics.fid3d import SAME, Mode
from facegen.metrics.frechet import frechet_distance_of, warn_of_few
from facegen.metrics.gaussian import Gaussian
from facegen.metrics.moments import Moments

PAIRS_AT_MOST = 10_000  # rows of a side where the work grows with their square


class Figure(NamedTuple):
    """A value with what belongs to it."""

    metric: str
    name: str
    value: float
    interval: tuple[float, float] | None = None
    standard_error: float | None = None
    details: dict[str, Any] = {}  # noqa: RUF012 - never changed
    counts: dict[str, int] = {}  # noqa: RUF012


@dataclass(frozen=True)
class Real:
    """Rows of the real pictures of a recipe, how often an epoch shows each, and their labels (N, c_dim)."""

    name: str
    features: NDArray[np.float32]
    times: NDArray[np.int64]
    labels: NDArray[np.float32]
    pixels: NDArray[np.float64]

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance, every picture as often as an epoch shows it."""
        moments = moments_of(self.features, self.times)
        warn_of_few(moments, f"real images of {self.name}")
        return Gaussian.of(moments, f"real images of {self.name}")

    @cached_property
    def sample(self) -> NDArray[np.float32]:
        """Different pictures, each kept in proportion to how often it comes, for distances between pairs."""
        draws = np.random.Philox(key=np.array([0, 1], dtype=np.uint64)).random_raw(len(self.times)) / 2.0**64
        return self.features[draws < self.times / self.times.max()][:PAIRS_AT_MOST]


@dataclass(frozen=True)
class Generated:
    """Rows of the generated pictures of a mode, and the cameras (N, c_dim) that they were rendered from."""

    mode: Mode
    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    pixels: NDArray[np.float64]


def figures(plan: Plan, real: Sequence[Real], made: dict[Mode, Generated]) -> list[Figure]:
    """All figures of a plan: recipe by recipe, then the matrix."""
    first = next(iter(made.values()))
    found = [] if real else [pixels("generated", None, first)]
    for side in real:
        same = made.get(Mode(SAME, side.name), first)
        if "fid" in plan.metrics:
            found.append(frechet("fid", side.name, side, same))
        if "kid" in plan.metrics:
            found.append(kernel(side.name, side, same))
        if "precision_recall" in plan.metrics:
            found.extend(neighbours(side.name, side, same))
        if "pixels" in plan.metrics:
            found.append(pixels(side.name, side, same))
    if "fid3d" in plan.metrics:
        named = {side.name: side for side in real}
        found.extend(frechet("fid3d", mode.name, named[mode.rendering], each) for mode, each in made.items())
    return found


def moments_of(features: NDArray[np.float32], times: NDArray[np.int64] | None = None) -> Moments:
    """Sums over rows, a shard at a time."""
    whole = Moments.zero(features.shape[1])
    for start in range(0, len(features), SHARD):
        part = slice(start, start + SHARD)
        repeats = None if times is None else torch.from_numpy(times[part])
        whole = whole.plus(Moments.of(torch.from_numpy(features[part]), repeats=repeats))
    return whole


def frechet(metric: str, name: str, real: Real, generated: Generated) -> Figure:
    """Fréchet distance."""
    moments = moments_of(generated.features)
    warn_of_few(moments, f"generated images, {generated.mode.name}")
    gaussian = Gaussian.of(moments, f"generated images, {generated.mode.name}")
    value = float(frechet_distance_of(real.gaussian, gaussian))
    counts = {"generated": len(generated.features), "real": len(real.features)}
    return Figure(metric, name, value, counts=counts)


def kernel(name: str, real: Real, generated: Generated) -> Figure:
    """Kernel distance (KID), with its standard error."""
    from facegen.metrics.kernel import kernel_distance

    sides = real.sample, generated.features[:PAIRS_AT_MOST]
    found = kernel_distance(torch.from_numpy(sides[0]), torch.from_numpy(sides[1]))
    value, error = float(found.value), float(found.standard_error)
    interval = value - 1.96 * error, value + 1.96 * error
    return Figure("kid", name, value, interval, error, counts=_pair_counts(sides))


def neighbours(name: str, real: Real, generated: Generated) -> Iterator[Figure]:
    """Precision, recall, density and coverage."""
    from facegen.metrics.neighbours import neighbour_scores

    sides = real.sample, generated.features[:PAIRS_AT_MOST]
    scores = neighbour_scores(torch.from_numpy(sides[0]), torch.from_numpy(sides[1]))
    for metric, value in scores._asdict().items():
        yield Figure(metric, name, float(value), counts=_pair_counts(sides))


def _pair_counts(sides: tuple[np.ndarray, np.ndarray]) -> dict[str, int]:
    return {"generated": len(sides[1]), "real": len(sides[0])}


def pixels(name: str, real: Real | None, generated: Generated) -> Figure:
    """Colour, contrast and variety of both sides; the value is the difference of mean colours in 8-bit units."""
    made = pixel_statistics(generated.pixels)
    details: dict[str, Any] = {"generated": made, "real": None}
    counts = {"generated": len(generated.pixels)}
    if real is None:
        return Figure("pixels", name, float(np.mean(made["mean"])), details=details, counts=counts)
    shown = pixel_statistics(np.repeat(real.pixels, real.times, axis=0))
    difference = float(np.abs(np.subtract(made["mean"], shown["mean"])).mean())
    return Figure(
        "pixels", name, difference, details=details | {"real": shown}, counts=counts | {"real": len(real.pixels)}
    )
