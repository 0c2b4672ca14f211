"""Fréchet distances: closed forms, other programs on the same features, zero, and what is refused."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from cleanfid.fid import frechet_distance as clean_fid_distance
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from facegen.metrics import FrechetDistance, frechet_distance
from facegen.metrics.frechet import frechet_distance_of
from facegen.metrics.gaussian import Gaussian
from facegen.metrics.moments import Moments
from tests.metrics.gaussians import features, rotation, with_spectrum

D = 128
Statistics = tuple[Tensor, Tensor]


def statistics(values: Tensor) -> Statistics:
    moments = Moments.of(values)
    return moments.mean, moments.covariance


def scipy_distance(first: Statistics, second: Statistics) -> float:
    (mu1, sigma1), (mu2, sigma2) = ([each.numpy() for each in pair] for pair in (first, second))
    root = np.real(scipy.linalg.sqrtm(sigma1 @ sigma2))
    return float((mu1 - mu2) @ (mu1 - mu2) + np.trace(sigma1 + sigma2 - 2 * root))


def clean_distance(first: Statistics, second: Statistics) -> float:
    mu1, sigma1, mu2, sigma2 = (each.numpy() for each in (*first, *second))
    return float(clean_fid_distance(mu1, sigma1, mu2, sigma2))


@pytest.mark.parametrize("decay", [0, 1, 2, 4, 8])
def test_common_axes_have_a_closed_form(decay: float) -> None:
    first = torch.arange(1, D + 1, dtype=torch.float64) ** -decay
    second = first * (1 + torch.rand(D, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    mean = torch.linspace(-0.01, 0.01, D, dtype=torch.float64)
    found = frechet_distance(mean, with_spectrum(first), torch.zeros(D), with_spectrum(second))
    expected = mean.square().sum() + (first.sqrt() - second.sqrt()).square().sum()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def test_one_feature_and_arrays() -> None:
    found = frechet_distance(*(np.array(each) for each in ([1.0], [[4.0]], [3.0], [[9.0]])))  # type: ignore[arg-type]
    assert found.dtype == torch.float64 and float(found) == pytest.approx(4 + 1)


@pytest.mark.parametrize("scales", [(0, -6), (-6, 0)])
def test_a_small_distance_of_features_of_all_scales_keeps_its_digits(scales: tuple[int, int]) -> None:
    """The eigenvalues of the product span 24 decades here: their square roots alone would be wrong by percents."""
    deviations = torch.logspace(*scales, D, dtype=torch.float64)
    sigma = deviations[:, None] * with_spectrum(torch.linspace(0.2, 1.2, D)) * deviations
    found = frechet_distance(torch.zeros(D), sigma, torch.zeros(D), sigma * 1.001**2)
    torch.testing.assert_close(found, 0.001**2 * sigma.trace(), rtol=1e-6, atol=0)


def test_orthogonal_supports_have_nothing_in_common() -> None:
    half = torch.cat([torch.ones(D // 2), torch.zeros(D // 2)])
    found = frechet_distance(torch.zeros(D), with_spectrum(half), torch.zeros(D), with_spectrum(half.flip(0)))
    assert float(found) == pytest.approx(D, rel=1e-9)


def test_symmetry_and_rotation() -> None:
    first, second = statistics(features(300, D, 1)), statistics(features(300, D, 1, seed=1) * 1.2)
    axes = rotation(D, 5)
    expected = frechet_distance(*first, *second)
    turned = [(axes @ mean, axes @ covariance @ axes.T) for mean, covariance in (first, second)]
    torch.testing.assert_close(frechet_distance(*second, *first), expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(frechet_distance(*turned[0], *turned[1]), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("count", "decay"), [(1000, 0), (1000, 1), (150, 2), (1000, 3)])
def test_agrees_with_the_other_programs(count: int, decay: float) -> None:
    real, generated = features(count, D, decay), features(count, D, decay, seed=1) * 1.1
    first, second = statistics(real), statistics(generated)
    found = float(frechet_distance(*first, *second))
    assert found == pytest.approx(scipy_distance(first, second), rel=1e-6)
    assert found == pytest.approx(clean_distance(first, second), rel=1e-6)
    assert found == pytest.approx(float(_compute_fid(*first, *second)), rel=1e-6)
    other = [fid_features_to_statistics(each.double()) for each in (real, generated)]
    assert found == pytest.approx(
        fid_statistics_to_metric(*other, verbose=False)["frechet_inception_distance"], rel=1e-6
    )


@pytest.mark.parametrize(("count", "decay"), [(1000, 0), (1000, 4), (130, 2), (60, 1), (2, 0)])
@pytest.mark.parametrize("other_batches", [False, True])
def test_identical_sets_are_at_zero(count: int, decay: float, other_batches: bool) -> None:
    values = features(count, D, decay) * 10
    parts = values.flip(0).split(37) if other_batches else [values]
    again = Moments.zero(D)
    for part in parts:
        again = again.plus(Moments.of(part))
    found = frechet_distance(*statistics(values), again.mean, again.covariance)
    assert 0 <= float(found) < 1e-9


def test_nearly_identical_singular_sets_are_nearly_at_zero() -> None:
    """Where the bound does not decide, and half of the directions are empty: the roots of rounding would be 1e-6."""
    values = features(60, D, 1)
    found = frechet_distance(*statistics(values), *statistics(values * (1 + 1e-7)))
    expected = 1e-14 * float(statistics(values)[1].trace() + statistics(values)[0].square().sum())
    assert 0 <= float(found) < 1e-12 + 2 * expected


def test_few_images_agree_with_a_closed_form() -> None:
    """Both sets singular, of the same directions: scaling gives (1 - a)^2 of mean and variance."""
    values = features(60, D, 1)
    mean, covariance = statistics(values)
    found = frechet_distance(mean, covariance, *statistics(values * 1.5))
    torch.testing.assert_close(found, 0.25 * (mean.square().sum() + covariance.trace()), rtol=1e-6, atol=0)


def test_one_gaussian_serves_many() -> None:
    real = Gaussian(*statistics(features(300, D, 1)))
    for seed in (1, 2):
        other = statistics(features(300, D, 1, seed=seed) * 1.2)
        expected = frechet_distance(real.mean, real.covariance, *other)
        assert torch.equal(frechet_distance_of(real, Gaussian(*other)), expected)


@pytest.mark.parametrize("second", [False, True])
def test_what_is_no_covariance_is_refused(second: bool) -> None:
    good, bad = torch.eye(3), torch.diag(torch.tensor([1.0, 1.0, -0.5]))
    bad[0, 1] = bad[1, 0] = 0.5
    pair = (good, bad) if second else (bad, good)
    with pytest.raises(ValueError, match=f"sigma{1 + second}.*eigenvalue -0.5"):
        frechet_distance(torch.zeros(3), pair[0], torch.zeros(3), pair[1])
    with pytest.raises(ValueError, match="eigenvalue"):
        frechet_distance(torch.zeros(3), bad, torch.zeros(3), bad)
    with pytest.raises(ValueError, match="eigenvalue"):
        zero_diagonal = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        frechet_distance(torch.zeros(2), torch.eye(2), torch.zeros(2), zero_diagonal)


def test_float32_covariances_are_taken_with_a_warning() -> None:
    values = features(60, D, 1)
    single = torch.cov(values.T)
    with pytest.warns(UserWarning, match="taken as zero; compute it in float64"):
        found = frechet_distance(values.mean(0), single, values.mean(0) + 0.1, single * 1.21)
    assert float(found) == pytest.approx(0.01 * D + 0.01 * float(single.trace()), rel=1e-3)


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (torch.zeros(2), torch.eye(3), r"got mean \(2,\) and covariance \(3, 3\)"),
        (torch.zeros(3), torch.eye(3) * float("nan"), "not finite"),
        (torch.full((3,), float("inf")), torch.eye(3), "not finite"),
        (torch.zeros(3), torch.eye(3) + torch.eye(3).roll(1, 0), "differs from its transpose"),
        (torch.zeros(2), torch.eye(2), "got 2 and 3 features"),
    ],
)
def test_wrong_input_is_named(mean: Tensor, covariance: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(mean, covariance, torch.zeros(3), torch.eye(3))


@pytest.mark.parametrize("size", [1, 50, 333, 1000])
def test_the_metric_takes_any_batches(size: int) -> None:
    real, generated = features(1000, 16), features(900, 16, seed=1) * 1.1
    metric = FrechetDistance(16)
    for values, is_real in ((real, True), (generated, False)):
        for part in values.split(size):
            metric.update(part, real=is_real)
    expected = frechet_distance(*statistics(real), *statistics(generated))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(metric.compute(), expected, rtol=1e-10, atol=0)
    assert metric.num_rows.tolist() == [900, 1000]


def test_the_metric_extracts_and_starts_over() -> None:
    metric = FrechetDistance(4, extractor=torch.nn.Flatten())
    images = torch.rand(20, 1, 2, 2)
    metric.update(images, real=True)
    metric.update(images + 1, real=False)
    assert float(metric.compute()) == pytest.approx(4)
    metric.update(images + 1, real=False)
    metric.update(images, real=True)
    assert int(metric.num_rows.sum()) == 80
    metric.reset()
    assert not metric.num_rows.any() and not metric.outer.any()


def test_too_few_images_are_named() -> None:
    metric = FrechetDistance(16)
    metric.update(features(100, 16), real=True)
    metric.update(features(1, 16), real=False)
    with pytest.raises(ValueError, match="generated images: got 1 images"), pytest.warns(UserWarning):
        metric.compute()
    metric.update(features(9, 16), real=False)
    with pytest.warns(UserWarning, match="generated images: got 10, expected more than 16"):
        metric.compute()
    with pytest.raises(ValueError, match=r"got shape \(9, 8\), expected \(number of images, 16\)"):
        metric.update(torch.zeros(9, 8), real=True)
