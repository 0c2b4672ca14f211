"""The random numbers of an augmentation, which can be replaced by quantiles or by a caller's own."""

from collections.abc import Callable

import torch
from torch import Tensor

Draw = Callable[..., Tensor]  # like torch.rand: draw(shape, device=...)


class Chance:
    """Random numbers of one call: a value, then a gate that decides per sample whether it is used.

    With a `percentile` every value is that quantile instead and every gate is open.
    """

    def __init__(self, p: Tensor, percentile: float | None, rand: Draw | None, randn: Draw | None) -> None:
        self.p, self.device = p, p.device
        self.rand, self.randn = rand or torch.rand, randn or torch.randn
        self.percentile = None if percentile is None else torch.tensor(float(percentile), device=p.device)

    def uniform(self, *shape: int) -> Tensor:
        return self.rand(shape, device=self.device) if self.percentile is None else self.percentile.expand(shape)

    def normal(self, *shape: int) -> Tensor:
        if self.percentile is None:
            return self.randn(shape, device=self.device)
        # Without the sqrt(2) of a true normal quantile: kept, so that percentiles mean what they do elsewhere.
        return torch.erfinv(2 * self.percentile - 1).expand(shape)

    def half_normal(self, *shape: int) -> Tensor:
        if self.percentile is None:
            return self.randn(shape, device=self.device).abs()
        return torch.erfinv(self.percentile).expand(shape)

    def gate(self, value: Tensor, neutral: float, probability: Tensor) -> Tensor:
        """`value` with the given probability, else `neutral`; one draw per sample (values (N, 2) share theirs)."""
        if self.percentile is not None:
            return value
        shape = (value.shape[0], *[1] * (value.ndim - 1))
        return torch.where(self.rand(shape, device=self.device) < probability, value, neutral)
