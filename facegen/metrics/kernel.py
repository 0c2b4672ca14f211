"""Kernel distance (KID): the unbiased squared maximum mean discrepancy between features, and how sure it is."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.metrics.kept_features import KeptFeatures, paired

BLOCK = 2048  # rows of a block of the kernel matrix: 34 MB


class KernelEstimate(NamedTuple):
    """A squared discrepancy, which may be slightly negative, and its standard error."""

    value: Tensor  # () float64
    standard_error: Tensor  # () float64


def polynomial_kernel(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
    """k(x, y) = (x.y / d + 1)^3, as Bińkowski et al. (2018) define KID."""
    return (x @ y.T / x.shape[1] + 1) ** 3


@torch.no_grad()
def kernel_distance(real: Float[Tensor, "m d"], generated: Float[Tensor, "n d"], block: int = BLOCK) -> KernelEstimate:
    """Unbiased estimate over all pairs of features, in blocks, with the standard error of a U-statistic.

    To first order (Hoeffding's projection) the estimate is a mean over rows of
    a_i = mean over j != i of k(x_i, x_j) - mean over j of k(x_i, y_j), and of b_j likewise, so that its variance is
    4 [var(a) / m + var(b) / n]. Where both sets have one distribution the projection vanishes, and what remains of
    it overstates the standard error by about sqrt(2). ValueError below two rows.
    """
    real, generated = paired(real, generated, least=2)
    rows, columns = _own_means(real, block), _own_means(generated, block)
    real_other, generated_other = _cross_means(real, generated, block)
    value = rows.mean() + columns.mean() - real_other.mean() - generated_other.mean()
    spread = (rows - real_other).var() / len(real) + (columns - generated_other).var() / len(generated)
    return KernelEstimate(value, 2 * spread.sqrt())


def _own_means(features: Tensor, block: int) -> Tensor:
    """For each row, the mean kernel with all other rows (N,); each pair of blocks is evaluated once."""
    sums = features.new_zeros(len(features))
    for start in range(0, len(features), block):
        rows = features[start : start + block]
        kernel = polynomial_kernel(rows, rows)
        sums[start : start + block] += kernel.fill_diagonal_(0).sum(dim=1)
        for other in range(start + block, len(features), block):
            kernel = polynomial_kernel(rows, features[other : other + block])
            sums[start : start + block] += kernel.sum(dim=1)
            sums[other : other + block] += kernel.sum(dim=0)
    return sums / (len(features) - 1)


def _cross_means(real: Tensor, generated: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Mean kernel of each real row with all generated ones (m,), and the other way round (n,)."""
    rows, columns = real.new_zeros(len(real)), real.new_zeros(len(generated))
    for start in range(0, len(real), block):
        for other in range(0, len(generated), block):
            kernel = polynomial_kernel(real[start : start + block], generated[other : other + block])
            rows[start : start + block] += kernel.sum(dim=1)
            columns[other : other + block] += kernel.sum(dim=0)
    return rows / len(generated), columns / len(real)


def subset_kernel_distance(
    real: Float[Tensor, "m d"],
    generated: Float[Tensor, "n d"],
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 2020,
) -> KernelEstimate:
    """The usual estimate: mean over random subsets, and their standard deviation over the square root of their number.

    Draws are those of torch-fidelity for the same seed and order of arguments. Its spread is of the subsets, not of
    the sets that they were drawn from: prefer `kernel_distance`. ValueError where a set is smaller than a subset.
    """
    real, generated = paired(real, generated, least=subset_size)
    draws = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        chosen = [torch.from_numpy(draws.choice(len(each), subset_size, replace=False)) for each in (real, generated)]
        x, y = real[chosen[0].to(real.device)], generated[chosen[1].to(real.device)]
        values.append(kernel_distance(x, y, block=subset_size).value)
    found = torch.stack(values)
    return KernelEstimate(found.mean(), found.std(correction=0) / subsets**0.5)


class KernelDistance(KeptFeatures):
    """Kernel distance over all features seen; `update(features, real=...)`, or images where an extractor is given."""

    higher_is_better = False

    def compute(self) -> KernelEstimate:
        return kernel_distance(*self.kept())
