"""Kernel distance: its definition, other programs on the same features, and a standard error that is one."""

import numpy as np
import pytest
import torch
from cleanfid.fid import kernel_distance as clean_kernel_distance
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from facegen.metrics import KernelDistance, kernel_distance
from facegen.metrics.kernel import subset_kernel_distance
from tests.metrics.gaussians import features


def by_definition(real: Tensor, generated: Tensor) -> tuple[float, float]:
    """The estimate and its standard error, pair by pair."""

    def kernel(x: Tensor, y: Tensor) -> float:
        return (float(x.double() @ y.double()) / len(x) + 1) ** 3

    def projection(own: Tensor, other: Tensor) -> np.ndarray:
        means = []
        for i, x in enumerate(own):
            mine = [kernel(x, y) for j, y in enumerate(own) if j != i]
            means.append(np.mean(mine) - np.mean([kernel(x, y) for y in other]))
        return np.array(means)

    a, b = projection(real, generated), projection(generated, real)
    variance = 4 * (a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return a.mean() + b.mean(), variance**0.5


def test_is_its_definition() -> None:
    real, generated = features(13, 5), features(9, 5, seed=1) + 0.1
    value, error = by_definition(real, generated)
    found = kernel_distance(real, generated)
    assert float(found.value) == pytest.approx(value, rel=1e-10)
    assert float(found.standard_error) == pytest.approx(error, rel=1e-10)


def test_does_not_depend_on_blocks() -> None:
    real, generated = features(200, 8), features(150, 8, seed=1)
    expected = kernel_distance(real, generated)
    for block in (13, 64, 150, 199):
        for found, value in zip(kernel_distance(real, generated, block), expected, strict=True):
            torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("shift", "sizes", "excess"), [(0.3, (150, 100), 1.0), (0.0, (120, 120), 2**0.5)])
def test_the_standard_error_is_the_spread_of_repeats(shift: float, sizes: tuple[int, int], excess: float) -> None:
    """Of different distributions it is the spread; of equal ones it is too large by sqrt(2), as the docstring says."""
    draws = torch.Generator().manual_seed(0)
    found = [
        kernel_distance(torch.randn(sizes[0], 6, generator=draws), torch.randn(sizes[1], 6, generator=draws) + shift)
        for _ in range(600)
    ]
    values = torch.stack([each.value for each in found])
    stated = torch.stack([each.standard_error for each in found]).square().mean().sqrt()
    assert float(stated / values.std()) == pytest.approx(excess, rel=0.1)
    # x.y / d + 1 cubed is 1 + 3 x.y / d + 3 (x.y / d)^2 + (x.y / d)^3: means of products are products of means.
    m = torch.full((6,), shift, dtype=torch.float64)
    second, square = torch.eye(6, dtype=torch.float64) + torch.outer(m, m), m @ m
    three = _third_moment(m)
    truth = 3 * square / 6 + 3 * ((second - torch.eye(6)) ** 2).sum() / 36 + (three**2).sum() / 216
    assert abs(float(values.mean() - truth)) < 4 * float(values.std()) / 600**0.5


def _third_moment(m: Tensor) -> Tensor:
    """E[x x x] of a normal vector with mean m and unit covariance (d, d, d)."""
    one = torch.eye(len(m), dtype=m.dtype)
    mixed = [torch.einsum(axes, m, one) for axes in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk")]
    return torch.einsum("i,j,k->ijk", m, m, m) + mixed[0] + mixed[1] + mixed[2]


def test_subsets_agree_with_torch_fidelity() -> None:
    real, generated = features(300, 16).double(), features(250, 16, seed=1).double() * 1.1
    found = subset_kernel_distance(real, generated, subsets=20, subset_size=100, seed=7)
    options = {"kid_subsets": 20, "kid_subset_size": 100, "rng_seed": 7, "verbose": False}
    expected = kid_features_to_metric(real, generated, **options)
    assert float(found.value) == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    spread = expected["kernel_inception_distance_std"] / 20**0.5
    assert float(found.standard_error) == pytest.approx(spread, rel=1e-9)


def test_a_subset_of_everything_agrees_with_clean_fid() -> None:
    real, generated = features(200, 16).double(), features(200, 16, seed=1).double() * 1.1
    expected = clean_kernel_distance(real.numpy(), generated.numpy(), num_subsets=1, max_subset_size=200)
    assert float(kernel_distance(real, generated).value) == pytest.approx(expected, rel=1e-9)


def test_the_metric_takes_any_batches() -> None:
    real, generated = features(100, 8), features(90, 8, seed=1)
    metric = KernelDistance()
    for part in real.split(33):
        metric.update(part, real=True)
    for part in generated.split(1):
        metric.update(part, real=False)
    torch.testing.assert_close(metric.compute().value, kernel_distance(real, generated).value, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        (torch.zeros(1, 2), torch.zeros(3, 2), r"real features: got shape \(1, 2\), expected 2 rows or more"),
        (torch.zeros(3, 2), torch.zeros(3, 4), "got 2 real and 4 generated"),
        (torch.zeros(3, 2), torch.full((3, 2), float("nan")), "generated features: some are not finite"),
    ],
)
def test_wrong_input_is_named(real: Tensor, generated: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel_distance(real, generated)


def test_an_empty_set_is_named() -> None:
    metric = KernelDistance()
    metric.update(torch.zeros(3, 2), real=True)
    with pytest.raises(ValueError, match="generated features: got none"):
        metric.compute()
    with pytest.raises(ValueError, match="expected 1000 rows or more"):
        subset_kernel_distance(torch.zeros(3, 2), torch.zeros(3, 2))
