"""Fréchet distance between Gaussians, in float64 on the tensors' device, with a bound on its own rounding error."""

import warnings
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.metrics.moments import Moments
from facegen.metrics.set_moments import SetMoments

_EPSILON = torch.finfo(torch.float64).eps
GENERATED, REAL = 0, 1


class Gaussian:
    """A mean and a covariance whose factor is computed once, for distances from one real set to many generated ones.

    `name` is what errors call it. ValueError for wrong shapes, what is not finite, and what is not a covariance.
    """

    def __init__(self, mean: Tensor, covariance: Tensor, name: str = "covariance") -> None:
        self.mean = torch.as_tensor(mean).double()
        self.covariance = torch.as_tensor(covariance).double()
        self.name = name
        _check(self)

    @classmethod
    def of(cls, moments: Moments, name: str = "features") -> "Gaussian":
        """The Gaussian of gathered features; ValueError below two images."""
        if int(moments.count) < 2:
            raise ValueError(f"{name}: got {int(moments.count)} images, expected at least 2")
        return cls(moments.mean, moments.covariance, name)

    @cached_property
    def factor(self) -> Float[Tensor, "features rank"]:
        """F with F F^T = covariance, without directions whose variance is rounding (d * eps * the largest)."""
        values, vectors = torch.linalg.eigh(self.covariance)
        tolerance = len(values) * _EPSILON * float(values[-1].clamp(min=0))
        if float(values[0]) < -tolerance:
            _complain(self.name, float(values[0]), float(values[-1]))
        kept = values > tolerance
        return vectors[:, kept] * values[kept].sqrt()

    @cached_property
    def cholesky(self) -> Float[Tensor, "features features"] | None:
        """Lower Cholesky factor, or None where the covariance is singular within rounding."""
        lower, failed = torch.linalg.cholesky_ex(self.covariance)
        return None if int(failed) else lower


@torch.no_grad()
def frechet_distance(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> Float[Tensor, ""]:
    """|mu1 - mu2|^2 + tr(S1 + S2) - 2 tr sqrt(S1 S2) of means (d,) and covariances (d, d): FID (Heusel et al., 2017)."""
    return frechet_distance_of(Gaussian(mu1, sigma1, "sigma1"), Gaussian(mu2, sigma2, "sigma2"))


@torch.no_grad()
def frechet_distance_of(first: Gaussian, second: Gaussian) -> Float[Tensor, ""]:
    """Fréchet distance of two Gaussians; the factor of `first` is kept for the next call."""
    if first.mean.shape != second.mean.shape:
        sizes = f"{len(first.mean)} and {len(second.mean)}"
        raise ValueError(
            f"{first.name}, {second.name}: got {sizes} features, expected as many; was one extractor used?"
        )
    cross = torch.linalg.svdvals(first.factor.T @ second.factor).sum()
    means = (first.mean - second.mean).square().sum()
    return (means + first.covariance.trace() + second.covariance.trace() - 2 * cross).clamp(min=0)


def _check(gaussian: Gaussian) -> None:
    mean, covariance, name = gaussian.mean, gaussian.covariance, gaussian.name
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        shapes = f"mean {tuple(mean.shape)} and covariance {tuple(covariance.shape)}"
        raise ValueError(f"{name}: got {shapes}, expected (d,) and (d, d)")
    if not (torch.isfinite(mean).all() and torch.isfinite(covariance).all()):
        raise ValueError(f"{name}: mean or covariance is not finite; look for NaN in the features")


def _complain(name: str, lowest: float, highest: float) -> None:
    said = f"{name}: got an eigenvalue {lowest:.3g} beside the largest {highest:.3g}"
    if lowest < -1e-3 * highest:
        raise ValueError(f"{said}, expected none below zero: not a covariance")
    warnings.warn(f"{said}: more than float64 rounding; was it computed in float32?", stacklevel=2)


def warn_of_few(moments: Moments, name: str) -> None:
    """Warn where a covariance cannot have full rank."""
    count, num_features = int(moments.count), len(moments.total)
    if count <= num_features:
        warnings.warn(
            f"{name}: got {count}, expected more than {num_features}, the number of features: the covariance is"
            " singular and the Fréchet distance biased upwards; compare equal counts only",
            stacklevel=2,
        )


class FrechetDistance(SetMoments):
    """Fréchet distance of all features seen; `update(features, real=...)`, or images where an extractor is given."""

    def __init__(self, num_features: int, extractor: torch.nn.Module | None = None, **kwargs: Any) -> None:
        super().__init__(2, num_features, **kwargs)
        self.extractor = extractor

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, d), or images (N, 3, H, W) uint8 for the extractor."""
        self.accumulate(REAL if real else GENERATED, features if self.extractor is None else self.extractor(features))

    def compute(self) -> Float[Tensor, ""]:
        names = ("generated images", "real images")
        for which, name in enumerate(names):
            warn_of_few(self.moments(which), name)
        real, generated = (Gaussian.of(self.moments(which), names[which]) for which in (REAL, GENERATED))
        return frechet_distance_of(real, generated)
