"""Sums over features that give their mean and covariance, whatever the batches and processes were."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Moments(NamedTuple):
    """First and second moments as plain sums, so that those of two sets are the sums of both.

    Sums are float64 over products of promoted features: a product of two float32 numbers is exact there. The error
    of the covariance is about 1e-16 times the squared mean, so features may lie a thousand standard deviations off
    the origin before ten digits are lost; no feature in use comes near.
    """

    num_rows: Tensor  # () int64: rows seen whose weight is not zero
    weight: Tensor  # () float64: sum of their weights; equals `num_rows` without weights
    weight_squares: Tensor  # () float64: sum of squared weights, where a row repeated r times is r rows of weight one
    total: Tensor  # (d,) float64: weighted sum
    outer: Tensor  # (d, d) float64: weighted sum of outer products

    @staticmethod
    def zero(num_features: int, device: torch.device | str | None = None) -> "Moments":
        zero = torch.zeros((), dtype=torch.float64, device=device)
        total = torch.zeros(num_features, dtype=torch.float64, device=device)
        return Moments(zero.long(), zero, zero.clone(), total, total.new_zeros(num_features, num_features))

    @staticmethod
    def of(
        features: Float[Tensor, "batch features"],
        weights: Float[Tensor, " batch"] | None = None,
        repeats: Tensor | None = None,
    ) -> "Moments":
        """Moments of one batch.

        `weights` (batch,), non-negative, are importance weights: the covariance is divided by W - sum(w^2) / W, which
        makes it unbiased, and their scale does not matter. `repeats` (batch,) are integers: the result is that of a
        batch in which each row stands so many times. ValueError for both, and for what is not finite.
        """
        values = _checked(features)
        if weights is None and repeats is None:
            weight = values.new_tensor(len(values))
            return Moments(weight.long(), weight, weight.clone(), values.sum(dim=0), values.T @ values)
        factors = _factors(values, weights, repeats)
        squares = factors.sum() if weights is None else factors.square().sum()
        weighted = values * factors[:, None]
        return Moments((factors > 0).sum(), factors.sum(), squares, weighted.sum(dim=0), weighted.T @ values)

    def plus(self, other: "Moments") -> "Moments":
        """Moments of both sets together."""
        return Moments(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def mean(self) -> Float[Tensor, " features"]:
        return self.total / self.weight

    @property
    def covariance(self) -> Float[Tensor, "features features"]:
        """Unbiased covariance; divided by n - 1 where all weights are one. NaN for fewer than two rows."""
        mean = self.mean
        centred = self.outer - torch.outer(mean, mean) * self.weight
        return (centred + centred.T) / (2 * (self.weight - self.weight_squares / self.weight))

    @property
    def effective_size(self) -> Tensor:
        """Kish's size: as many unweighted rows would give as certain a mean."""
        return self.weight.square() / self.weight_squares


def _checked(features: Tensor) -> Tensor:
    if features.ndim != 2:
        raise ValueError(f"features: got shape {tuple(features.shape)}, expected (number of images, features)")
    values = features.detach().double()
    if not torch.isfinite(values).all():
        bad = int((~torch.isfinite(values)).any(dim=1).sum())
        raise ValueError(f"features: {bad} of {len(values)} rows are not finite; look at what the generator made there")
    return values


def _factors(values: Tensor, weights: Tensor | None, repeats: Tensor | None) -> Tensor:
    """Weights or repeats (batch,) as float64."""
    if weights is not None and repeats is not None:
        raise ValueError("moments: got weights and repeats, expected one of them; multiply the weights instead")
    factors = torch.as_tensor(weights if repeats is None else repeats)
    if factors.shape != values.shape[:1]:
        expected = tuple(values.shape[:1])
        raise ValueError(f"moments: got weights of shape {tuple(factors.shape)}, expected {expected}, one per row")
    if repeats is not None and (factors.is_floating_point() or factors.is_complex()):
        raise ValueError(f"moments: got repeats of type {factors.dtype}, expected integers; pass them as weights")
    factors = factors.to(values)
    if not bool((torch.isfinite(factors) & (factors >= 0)).all()):
        raise ValueError("moments: weights must be finite and not negative")
    return factors
