"""Fréchet distance between Gaussians (FID) in float64 on the tensors' device, as a function and as a metric."""

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.metrics.gaussian import Gaussian, covariance_distance
from facegen.metrics.moments import Moments
from facegen.metrics.set_moments import SetMoments

GENERATED, REAL = 0, 1


@torch.no_grad()
def frechet_distance(
    mu1: Float[Tensor, " d"], sigma1: Float[Tensor, "d d"], mu2: Float[Tensor, " d"], sigma2: Float[Tensor, "d d"]
) -> Float[Tensor, ""]:
    """|mu1 - mu2|^2 + tr(S1 + S2) - 2 tr sqrt(S1 S2), the FID of Heusel et al. (2017).

    Tensors or arrays of any precision. ValueError for what is not finite and for what is not a covariance.
    """
    return frechet_distance_of(Gaussian(mu1, sigma1, "sigma1"), Gaussian(mu2, sigma2, "sigma2"))


@torch.no_grad()
def frechet_distance_of(first: Gaussian, second: Gaussian) -> Float[Tensor, ""]:
    """Fréchet distance of two Gaussians; give the one that is used again first, for its factor is kept."""
    if first.mean.shape != second.mean.shape:
        sizes = f"{len(first.mean)} and {len(second.mean)}"
        raise ValueError(
            f"{first.name}, {second.name}: got {sizes} features, expected as many; was one extractor used?"
        )
    means = (first.mean - second.mean).square().sum()
    return (means + covariance_distance(first, second, float(means))).clamp(min=0)


def warn_of_few(moments: Moments, name: str) -> None:
    """Warn where there are too few images for a covariance of full rank."""
    num_rows, num_features = int(moments.num_rows), len(moments.total)
    if num_rows <= num_features:
        warnings.warn(
            f"{name}: got {num_rows}, expected more than {num_features}, the number of features: their covariance is"
            " singular and the Fréchet distance too large; compare it at equal numbers of images only",
            stacklevel=2,
        )


def gaussian_of(moments: Moments, name: str) -> Gaussian:
    """The Gaussian of gathered features, with the warning where they are too few."""
    warn_of_few(moments, name)
    return Gaussian.of(moments, name)


class FrechetDistance(SetMoments):
    """Fréchet distance of all features seen; `update(features, real=...)`, or images where an extractor is given."""

    def __init__(self, num_features: int, extractor: torch.nn.Module | None = None, **kwargs: Any) -> None:
        super().__init__(2, num_features, **kwargs)
        self.extractor = extractor

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, d), or images (N, 3, H, W) uint8 for the extractor."""
        self.accumulate(REAL if real else GENERATED, features if self.extractor is None else self.extractor(features))

    def compute(self) -> Float[Tensor, ""]:
        """() float64. Warns where a set has too few images for its covariance."""
        real = gaussian_of(self.moments(REAL), "real images")
        return frechet_distance_of(real, gaussian_of(self.moments(GENERATED), "generated images"))
