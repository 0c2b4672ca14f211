"""The state that Fréchet metrics share: moments of several named sets, added across batches and processes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from facegen.metrics.moments import Moments


class SetMoments(Metric):
    """Moments of `num_sets` sets of features: three float64 or int64 states that processes add."""

    full_state_update = False
    higher_is_better = False
    is_differentiable = False
    num_rows: Tensor  # (sets,) int64
    total: Tensor  # (sets, d) float64
    outer: Tensor  # (sets, d, d) float64

    def __init__(self, num_sets: int, num_features: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_features = num_features
        sums = torch.zeros(num_sets, num_features, dtype=torch.float64)
        self.add_state("num_rows", torch.zeros(num_sets, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("total", sums, dist_reduce_fx="sum")
        self.add_state("outer", sums.new_zeros(num_sets, num_features, num_features), dist_reduce_fx="sum")

    def accumulate(self, which: int, features: Tensor) -> None:
        """Add a batch of features (N, d) to one set; ValueError where their number does not fit."""
        if features.ndim != 2 or features.shape[1] != self.num_features:
            expected = f"(number of images, {self.num_features})"
            raise ValueError(f"features: got shape {tuple(features.shape)}, expected {expected}; set num_features")
        batch = Moments.of(features.to(self.device))
        self.num_rows[which] += batch.num_rows
        self.total[which] += batch.total
        self.outer[which] += batch.outer
        self._computed = None

    def moments(self, which: int) -> Moments:
        """What one set has gathered so far."""
        weight = self.num_rows[which].double()
        return Moments(self.num_rows[which], weight, weight, self.total[which], self.outer[which])
