"""The two sides of a comparison as rows of features, and what a comparison gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facegen.evaluation.store import SHARD
from facegen.metrics.fid3d import Mode
from facegen.metrics.gaussian import Gaussian
from facegen.metrics.moments import Moments

PAIRS_AT_MOST = 10_000  # rows of a side where the work grows with their square


class Figure(NamedTuple):
    """A value with what belongs to it."""

    metric: str
    name: str
    value: float | None  # None where there are too few pictures
    interval: tuple[float, float] | None = None
    standard_error: float | None = None
    details: Mapping[str, Any] = MappingProxyType({})
    counts: Mapping[str, int] = MappingProxyType({})
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """Rows of pictures: features (N, F), labels (N, c_dim), and what `pixel_rows` says of them (N, 7)."""

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    pixels: NDArray[np.float64]

    @property
    def title(self) -> str:
        """What warnings and errors call them."""
        raise TypeError(f"{type(self).__name__} has no title")

    @property
    def repeats(self) -> NDArray[np.int64] | None:
        """How often each row counts; None: once."""
        return None

    @cached_property
    def moments(self) -> Moments:
        """Sums over rows, a shard at a time."""
        whole = Moments.zero(self.features.shape[1])
        for start in range(0, len(self.features), SHARD):
            part = slice(start, start + SHARD)
            repeats = None if self.repeats is None else torch.from_numpy(self.repeats[part])
            whole = whole.plus(Moments.of(torch.from_numpy(self.features[part]), repeats=repeats))
        return whole

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance."""
        return Gaussian.of(self.moments, self.title)


@dataclass(frozen=True)
class Real(Side):
    """Real pictures of a recipe, with how often an epoch shows each."""

    name: str
    times: NDArray[np.int64]

    @property
    def title(self) -> str:
        return f"real images of {self.name}"

    @property
    def repeats(self) -> NDArray[np.int64]:
        return self.times

    @cached_property
    def sample(self) -> NDArray[np.float32]:
        """Features of different pictures, each kept in proportion to how often it comes: for distances of pairs."""
        draws = np.random.Philox(key=np.array([0, 1], dtype=np.uint64)).random_raw(len(self.times)) / 2.0**64
        return self.features[draws < self.times / self.times.max()][:PAIRS_AT_MOST]


@dataclass(frozen=True)
class Generated(Side):
    """Generated pictures of a mode; their labels are the cameras that they were rendered from."""

    mode: Mode

    @property
    def title(self) -> str:
        return f"generated images, {self.mode.name}"


def counts(real: Side | None, generated: Side) -> dict[str, int]:
    """Numbers of pictures of both sides."""
    found = {"generated": len(generated.features)}
    return found if real is None else found | {"real": len(real.features)}
