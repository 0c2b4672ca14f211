"""Fréchet distance of weighted features, made to be evaluated again and again on parts of two sets.

Covariances are made only where images are more than features; else the images themselves are their factor.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from facegen.metrics.frechet import Gaussian
from facegen.metrics.moments import Moments

_FEWEST = 4  # images of each set


class Spread(NamedTuple):
    """Mean (F,) and covariance of weighted features, as F^T F of `rows` where those are fewer, else as a matrix."""

    mean: Tensor
    trace: Tensor
    rows: Tensor | None
    covariance: Tensor | None


@dataclass(frozen=True)
class Side:
    """One set: features (N, F) and weights (N,) in float64, and images' numbers of clusters (N,)."""

    features: Tensor
    weights: Tensor
    clusters: Tensor

    @cached_property
    def moments(self) -> Moments:
        """Kept, so that those of all but a few images are a subtraction."""
        return Moments.of(self.features, self.weights)

    @property
    def effective_size(self) -> float:
        """Kish's number of equally weighted images that say as much."""
        return float(self.weights.sum().square() / self.weights.square().sum())

    def spread(self) -> Spread:
        """Mean and covariance of all images."""
        if len(self.features) > self.features.shape[1]:
            return _spread(self.moments)
        weights = self.weights / self.weights.sum()
        mean = weights @ self.features
        rows = (weights / (1 - weights.square().sum())).sqrt()[:, None] * (self.features - mean)
        return Spread(mean, rows.square().sum(), rows, None)

    def at(self, index: Tensor) -> "Side":
        """Some of the images, by number or mask; an image may stand there several times."""
        index = index.to(self.weights.device)
        return Side(self.features[index], self.weights[index], self.clusters[index])

    def without(self, out: Bool[Tensor, " images"]) -> Spread:
        """Mean and covariance of all images but some."""
        kept = self.at(~out.to(self.weights.device))
        if len(kept.features) <= kept.features.shape[1]:
            return kept.spread()
        gone = self.at(out).moments
        return _spread(Moments(*(every - some for every, some in zip(self.moments, gone, strict=True))))


@torch.no_grad()
def weighted_frechet(
    real: Float[Tensor, "real features"],
    generated: Float[Tensor, "generated features"],
    real_weights: Float[Tensor, " real"] | None = None,
    generated_weights: Float[Tensor, " generated"] | None = None,
) -> Float[Tensor, ""]:
    """Fréchet distance of weighted features; quicker than by covariances where images are fewer than features."""
    first, second = sides_of(real, generated, real_weights, generated_weights)
    return distance(first.spread(), second.spread())


def in_order(features: Float[Tensor, "images features"]) -> Int[Tensor, " images"]:
    """An order of images that does not depend on the one in which processes gathered them."""
    return torch.argsort(features.double().sum(dim=1), stable=True)


def sides_of(
    real: Tensor,
    generated: Tensor,
    real_weights: Tensor | None,
    generated_weights: Tensor | None,
    real_clusters: Tensor | None = None,
) -> tuple[Side, Side]:
    """Images that have a weight, around the mean of the real ones, where sums of squares lose no digits."""
    first = _side("real", real, real_weights, real_clusters)
    second = _side("generated", generated, generated_weights, None)
    if first.features.shape[1] != second.features.shape[1]:
        sizes = f"{first.features.shape[1]} and {second.features.shape[1]}"
        raise ValueError(f"real, generated: got {sizes} features, expected as many; was one extractor used?")
    centre = first.features.mean(dim=0)
    return replace(first, features=first.features - centre), replace(second, features=second.features - centre)


def _side(name: str, features: Tensor, weights: Tensor | None, clusters: Tensor | None) -> Side:
    if features.ndim != 2 or not bool(torch.isfinite(features).all()):
        shape = tuple(features.shape)
        raise ValueError(f"{name}: got features of shape {shape}, expected finite ones of shape (images, features)")
    values = torch.ones(len(features)) if weights is None else torch.as_tensor(weights)
    values = values.to(features.device).double()
    if values.shape != (len(features),) or not bool((torch.isfinite(values) & (values >= 0)).all()):
        shape = tuple(values.shape)
        raise ValueError(f"{name}: got weights of shape {shape}, expected {len(features)} finite ones, none negative")
    if int((values > 0).sum()) < _FEWEST:
        raise ValueError(f"{name}: got {int((values > 0).sum())} images with a weight, expected at least {_FEWEST}")
    order = in_order(features)
    order = order[values[order] > 0]
    numbers = torch.arange(len(order)) if clusters is None else torch.as_tensor(clusters).cpu()[order.cpu()]
    return Side(features[order].double(), values[order], numbers.to(features.device))


def distance(real: Spread, generated: Spread) -> Float[Tensor, ""]:
    """Equation 1 of docs/metrics_pose.md."""
    means = (real.mean - generated.mean).square().sum()
    return means + real.trace + generated.trace - 2 * _cross(real, generated)


def _spread(moments: Moments) -> Spread:
    covariance = moments.covariance
    return Spread(moments.mean, covariance.trace(), None, covariance)


def _cross(first: Spread, second: Spread) -> Float[Tensor, ""]:
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


def _factor(spread: Spread) -> Float[Tensor, "rank features"]:
    """R with R^T R = covariance; by eigenvectors where features are constant or depend on each other."""
    assert spread.covariance is not None
    gaussian = Gaussian(spread.mean, spread.covariance)
    return (gaussian.factor if gaussian.cholesky is None else gaussian.cholesky).T
