"""Means over faces with their standard errors, from sums that add across processes."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric


class Estimate(NamedTuple):
    """A mean over independent values, its standard error (NaN below two values), and their number."""

    value: Tensor  # () float64
    standard_error: Tensor  # () float64
    num_values: Tensor  # () float64


def estimate(total: Tensor, squares: Tensor, count: Tensor) -> Estimate:
    """Mean and standard error from the sum of values, of their squares, and their number."""
    mean = total / count
    variance = (squares - count * mean.square()).clamp(min=0) / (count - 1)
    error = torch.where(count > 1, (variance / count).sqrt(), torch.nan)
    return Estimate(mean, error, count)


class SampleMean(Metric):
    """A mean of values: float64 sums, which do not depend on batches or processes (up to rounding).

    Subclasses define `update`, which ends in `add`.
    """

    full_state_update = False
    total: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("total", "squares", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def add(self, values: Float[Tensor, " batch"]) -> None:
        """Add values."""
        values = values.detach().flatten().to(torch.float64)
        if not bool(values.isfinite().all()):
            raise ValueError(f"{type(self).__name__}: got values that are not finite")
        self.total += values.sum()
        self.squares += values.square().sum()
        self.count += len(values)

    def compute(self) -> Estimate:
        """The mean. ValueError where there is none."""
        if not bool(self.count > 0):
            raise ValueError(f"{type(self).__name__}: got no values, expected at least one")
        return estimate(self.total, self.squares, self.count)
