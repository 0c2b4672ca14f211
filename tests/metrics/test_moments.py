"""Moments add over any split, and weigh as numpy's weighted covariance does."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.metrics.moments import Moments

DRAWS = torch.Generator().manual_seed(0)
FEATURES = torch.randn(101, 7, generator=DRAWS) * torch.tensor([1e-3, 1, 1, 10, 1, 1, 100]) + 300 * torch.eye(7)[1]


def gathered(features: Tensor, sizes: list[int]) -> Moments:
    whole = Moments.zero(features.shape[1])
    for part in features.split(sizes):
        whole = whole.plus(Moments.of(part))
    return whole


@pytest.mark.parametrize("sizes", [[101], [1] * 101, [64, 37], [3, 0, 98]])
def test_any_split_gives_the_same(sizes: list[int]) -> None:
    found, expected = gathered(FEATURES, sizes), FEATURES.double().numpy()
    assert int(found.num_rows) == 101 and float(found.weight) == 101.0
    np.testing.assert_allclose(found.mean.numpy(), expected.mean(axis=0), rtol=1e-10)
    scale = np.sqrt(np.diag(np.cov(expected.T)))
    np.testing.assert_allclose(
        found.covariance.numpy() / np.outer(scale, scale), np.corrcoef(expected.T), rtol=1e-10, atol=1e-10
    )


def test_repeats_are_rows_that_stand_several_times() -> None:
    repeats = torch.arange(101) % 4
    found = Moments.of(FEATURES, repeats=repeats)
    expected = Moments.of(FEATURES.repeat_interleave(repeats, dim=0))
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.covariance, expected.covariance, rtol=1e-9, atol=1e-12)
    assert int(found.num_rows) == 75 < int(found.weight) == 150  # rows that stand nowhere add nothing to the rank


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e6])
def test_importance_weights_are_unbiased_and_have_no_scale(scale: float) -> None:
    weights = torch.rand(101, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = Moments.of(FEATURES[:50], weights[:50] * scale).plus(Moments.of(FEATURES[50:], weights[50:] * scale))
    expected = np.cov(FEATURES.double().numpy().T, aweights=weights.numpy())
    np.testing.assert_allclose(found.covariance.numpy(), expected, rtol=1e-8, atol=1e-10)
    assert float(found.effective_size) == pytest.approx(float(weights.sum() ** 2 / weights.square().sum()))


def test_products_are_promoted_first() -> None:
    features = torch.tensor([[4097.0], [4099.0]])
    assert float(Moments.of(features).outer) == 4097**2 + 4099**2  # no float32 holds either


@pytest.mark.parametrize(
    ("features", "weights", "message"),
    [
        (torch.zeros(3), None, r"got shape \(3,\)"),
        (torch.tensor([[0.0], [float("nan")]]), None, "1 of 2 rows are not finite"),
        (torch.zeros(3, 1), torch.ones(2), r"got weights of shape \(2,\), expected \(3,\)"),
        (torch.zeros(2, 1), torch.tensor([1.0, -1.0]), "not negative"),
    ],
)
def test_wrong_input_is_named(features: Tensor, weights: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Moments.of(features, weights)


def test_repeats_are_integers() -> None:
    with pytest.raises(ValueError, match="expected integers"):
        Moments.of(torch.zeros(2, 1), repeats=torch.tensor([0.5, 1.0]))
    with pytest.raises(ValueError, match="expected one of them"):
        Moments.of(torch.zeros(2, 1), torch.ones(2), torch.ones(2))
