"""A Gaussian and the factors of its covariance, and the part of the Fréchet distance that needs them."""

import math
import warnings
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.metrics.moments import Moments

_EPSILON = torch.finfo(torch.float64).eps
_ROUNDING = 2  # the error of symmetric eigenvalues in units of eps times the largest; up to 1.3 was seen
_ALLOWED = (1e-7, 1e-12)  # error of the fast way: relative to the distance, or to the variance of both
_BLOCK = 256
_FLOAT32_ROUNDING = 1e-3  # a negative eigenvalue beyond this share of the largest is no rounding in any precision


class Gaussian:
    """A mean (d,) and a covariance (d, d), float64, whose factors are computed once: for one real set and many others.

    `name` is what errors call it. ValueError for wrong shapes, what is not finite, and what is not a covariance.
    """

    def __init__(self, mean: Tensor, covariance: Tensor, name: str = "Gaussian") -> None:
        self.name = name
        self.mean = torch.as_tensor(mean).detach().double()
        self.covariance = self._checked(torch.as_tensor(covariance).detach().double())

    @classmethod
    def of(cls, moments: Moments, name: str = "features") -> "Gaussian":
        """The Gaussian of gathered features; ValueError below two images."""
        if int(moments.num_rows) < 2:
            raise ValueError(f"{name}: got {int(moments.num_rows)} images, expected at least 2")
        return cls(moments.mean, moments.covariance, name)

    @cached_property
    def cholesky(self) -> Float[Tensor, "d d"] | None:
        """Lower Cholesky factor, or None where the covariance is singular within rounding."""
        lower, failed = torch.linalg.cholesky_ex(self.covariance)
        return None if int(failed) else lower

    @cached_property
    def factor(self) -> Float[Tensor, "d rank"]:
        """F with F F^T = covariance up to rounding, and as few columns as the rank where it is singular.

        ValueError for an eigenvalue that is negative beyond rounding: the square root of such a covariance is what
        gives other programs their imaginary part. A warning where rounding in float32 explains it.
        """
        if self.cholesky is not None:
            return self.cholesky
        factor = _pivoted_cholesky(self.covariance) if self.covariance.device.type == "cpu" else None
        return self._eigen_factor() if factor is None else factor

    def _eigen_factor(self) -> Tensor:
        """The factor by eigenvalues: slower, on every device, and the judge of negative ones."""
        values, vectors = torch.linalg.eigh(self.covariance)
        tolerance = len(values) * _EPSILON * float(values.abs().max())
        if float(values[0]) < -tolerance:
            self._complain(float(values[0]), float(values[-1]))
        kept = values > tolerance
        return vectors[:, kept] * values[kept].sqrt()

    def _checked(self, covariance: Tensor) -> Tensor:
        if self.mean.ndim != 1 or covariance.shape != (len(self.mean), len(self.mean)) or len(self.mean) == 0:
            shapes = f"mean {tuple(self.mean.shape)} and covariance {tuple(covariance.shape)}"
            raise ValueError(f"{self.name}: got {shapes}, expected (d,) and (d, d)")
        largest = _largest(covariance)
        if not math.isfinite(largest) or not self.mean.isfinite().all():
            raise ValueError(f"{self.name}: mean or covariance is not finite; look for NaN in the features")
        asymmetry = _largest(covariance - covariance.T)
        if asymmetry > _FLOAT32_ROUNDING * largest:
            raise ValueError(
                f"{self.name}: covariance differs from its transpose by {asymmetry:.3g}, expected symmetry"
            )
        return covariance if asymmetry == 0 else (covariance + covariance.T) / 2

    def _complain(self, lowest: float, highest: float) -> None:
        said = f"{self.name}: the covariance has an eigenvalue {lowest:.3g} (the largest is {highest:.3g})"
        if lowest < -_FLOAT32_ROUNDING * highest:
            raise ValueError(f"{said}, expected none below zero; is it a covariance of features?")
        warnings.warn(f"{said}, taken as zero; compute it in float64", stacklevel=4)


def _largest(matrix: Tensor) -> float:
    """The largest absolute value; NaN where there is one."""
    low, high = matrix.aminmax()
    return float(torch.maximum(-low, high))


def _pivoted_cholesky(covariance: Tensor) -> Tensor | None:
    """Factor (d, rank) of a singular covariance on the CPU without directions of variance below d * eps * the largest.

    None where what is left out is not as small as that: it is of a positive semi-definite matrix, whose entries are
    bounded by its diagonal.
    """
    from scipy.linalg import get_lapack_funcs

    tolerance = len(covariance) * _EPSILON * float(covariance.diagonal().max().clamp(min=0))
    (pstrf,) = get_lapack_funcs(("pstrf",), dtype=np.float64)
    packed, pivots, rank, _ = pstrf(covariance.numpy().T, tol=tolerance, lower=1)
    order = torch.from_numpy(pivots.astype(np.int64)) - 1
    lower = torch.from_numpy(np.tril(packed[:, :rank]))
    rest = order[rank:]
    if len(rest) and _largest(covariance[rest][:, rest] - lower[rank:] @ lower[rank:].T) > 10 * tolerance:
        return None
    factor = torch.empty(lower.shape, dtype=torch.float64)
    factor[order] = lower
    return factor


def covariance_distance(first: Gaussian, second: Gaussian, mean_term: float = 0.0) -> Float[Tensor, ""]:
    """tr(S1 + S2) - 2 tr sqrt(S1 S2), by the first of three ways that is sure of its result.

    1. A bound: the distance is at most the nuclear norm of S1 - S2 (Powers and Størmer, 1970), which is at most
       sqrt(d) times its Frobenius norm. Where that is rounding, as of one set in other batches, the distance is 0.
    2. Eigenvalues: those of L^T S2 L with S1 = L L^T are those of S1 S2. Their error is known, and so is what the
       square root makes of it; below 1e-7 of the distance, `mean_term` included, it does not matter.
    3. Singular values of F1^T F2 are the square roots themselves: for singular and ill-conditioned covariances.
    """
    variance = first.covariance.trace() + second.covariance.trace()
    apart = len(first.mean) ** 0.5 * float(torch.linalg.norm(first.covariance - second.covariance))
    if apart <= _ALLOWED[1] * abs(float(variance)):
        _ = first.factor  # complains of what is no covariance
        return torch.zeros_like(variance)
    if first.cholesky is not None:
        root, error = _root_by_eigenvalues(first.cholesky, second.covariance)
        distance = float(variance - 2 * root) + mean_term
        if 2 * error <= max(_ALLOWED[0] * distance, _ALLOWED[1] * float(variance)):
            return variance - 2 * root
    return variance - 2 * torch.linalg.svdvals(first.factor.T @ second.factor).sum()


def _root_by_eigenvalues(lower: Tensor, covariance: Tensor) -> tuple[Tensor, float]:
    """tr sqrt(S1 S2) from the Cholesky factor of S1, and how wrong it may be; infinitely, if an eigenvalue is negative.

    An error e of an eigenvalue v moves its root by e / (2 sqrt(v)), and by sqrt(e) at most.
    """
    values = torch.linalg.eigvalsh(_lower_congruence(lower, covariance), UPLO="L")
    error = _ROUNDING * _EPSILON * values[-1].clamp(min=0)
    if float(values[0]) < -float(error):
        return values.new_zeros(()), float("inf")
    roots = values.clamp(min=0).sqrt()
    return roots.sum(), float(torch.minimum(error.sqrt(), error / (2 * roots)).nan_to_num(0.0).sum())


def _lower_congruence(lower: Tensor, covariance: Tensor) -> Tensor:
    """The lower triangle of L^T S L, by blocks of columns: a third of the work of two whole products."""
    product = torch.zeros_like(covariance)
    for start in range(0, len(lower), _BLOCK):
        columns = slice(start, start + _BLOCK)
        product[start:, columns] = lower[start:, start:].T @ (covariance[start:, start:] @ lower[start:, columns])
    return product
