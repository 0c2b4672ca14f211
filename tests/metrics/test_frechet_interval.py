"""Fréchet distances with intervals: known distances, agreement of all paths, and how wide the intervals are."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.metrics.frechet import frechet_distance
from facegen.metrics.frechet_interval import FrechetInterval, frechet_interval
from facegen.metrics.moments import Moments
from facegen.metrics.weighted_frechet import weighted_frechet


def drawn(count: int, features: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    spectrum = torch.arange(1, features + 1, dtype=torch.float64) ** -0.7
    return scale * spectrum * torch.randn(count, features, generator=source, dtype=torch.float64) + shift


def positive(count: int, seed: int) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.05


@pytest.mark.parametrize("counts", [(30, 40), (30, 300), (300, 30), (200, 300)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_value_is_the_frechet_distance_with_fewer_or_more_images_than_features(
    counts: tuple[int, int], weighted: bool
) -> None:
    real, generated = drawn(counts[0], 60, 0), drawn(counts[1], 60, 1, 1.3, 0.2)
    weights = (positive(counts[0], 2), positive(counts[1], 3)) if weighted else (None, None)
    first, second = Moments.of(real, weights[0]), Moments.of(generated, weights[1])
    expected = float(frechet_distance(first.mean, first.covariance, second.mean, second.covariance))
    assert float(weighted_frechet(real, generated, *weights)) == pytest.approx(expected, rel=1e-7)
    assert frechet_interval(real, generated, *weights).value == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("method", ["jackknife", "bootstrap"])
def test_sums_and_images_give_the_same_interval(method: str) -> None:
    """Features that are always zero change nothing, but make images fewer than features."""
    real, generated = drawn(90, 12, 0), drawn(80, 12, 1, 1.4)
    weights = positive(90, 2), positive(80, 3)
    wide, other = (torch.cat([rows, torch.zeros(len(rows), 200)], dim=1) for rows in (real, generated))
    by_sums = frechet_interval(real, generated, *weights, method=method)  # pyright: ignore[reportArgumentType]
    by_images = frechet_interval(wide, other, *weights, method=method)  # pyright: ignore[reportArgumentType]
    assert np.hstack(by_images) == pytest.approx(np.hstack(by_sums), rel=1e-5, abs=1e-5)


def test_constant_features_and_equal_sets_do_no_harm() -> None:
    real = torch.cat([drawn(100, 5, 0), torch.full((100, 2), 3.0)], dim=1)
    assert frechet_interval(real, real).value == pytest.approx(0, abs=1e-6)
    moved = real + torch.tensor([0, 0, 0, 0, 0, 2.0, 0])
    assert frechet_interval(real, moved).value == pytest.approx(4, rel=1e-6)


def test_the_order_of_images_and_the_scale_of_weights_do_not_matter() -> None:
    real, generated, weights = drawn(70, 8, 0), drawn(60, 8, 1, 1.5), positive(70, 2)
    turned = torch.randperm(70, generator=torch.Generator().manual_seed(5))
    first = frechet_interval(real, generated, weights)
    second = frechet_interval(real[turned], generated.flip(0), 10 * weights[turned])
    assert np.hstack(second) == pytest.approx(np.hstack(first), rel=1e-9)
    assert frechet_interval(real, generated, weights, seed=1).standard_error != first.standard_error


def test_images_without_weight_are_absent() -> None:
    real, generated = drawn(70, 8, 0), drawn(60, 8, 1, 1.5)
    weights = torch.ones(90)
    weights[70:] = 0
    more = torch.cat([real, torch.full((20, 8), 99.0)])
    expected = frechet_interval(real, generated)
    assert np.hstack(frechet_interval(more, generated, weights)) == pytest.approx(np.hstack(expected), rel=1e-6)


def many(trials: int) -> tuple[list[FrechetInterval], float]:
    """Intervals of repeated draws of 120 images with 24 features, and the true distance."""
    spectrum = torch.arange(1, 25, dtype=torch.float64) ** -0.7
    mean, covariance = torch.zeros(24), torch.diag(spectrum.square())
    true = frechet_distance(mean, covariance, mean + 0.1, 1.69 * covariance)
    found = [frechet_interval(drawn(120, 24, i), drawn(120, 24, 1000 + i, 1.3, 0.1), seed=i) for i in range(trials)]
    return found, float(true)


def test_intervals_hold_the_truth_and_the_mean_and_are_as_wide_as_they_should() -> None:
    """The uncorrected distance is more than 1.5 standard errors too large here; see docs for larger simulations."""
    found, true = many(50)
    values = np.array([each.value for each in found])
    errors = np.array([each.standard_error for each in found])
    assert values.mean() - true > 1.5 * values.std()
    assert np.mean([each.corrected for each in found]) == pytest.approx(true, abs=0.4 * values.std())
    assert errors.mean() == pytest.approx(values.std(), rel=0.3)
    assert np.mean([each.corrected_interval[0] <= true <= each.corrected_interval[1] for each in found]) >= 0.87
    assert np.mean([each.interval[0] <= values.mean() <= each.interval[1] for each in found]) >= 0.87
    assert np.mean([each.interval[0] <= true <= each.interval[1] for each in found]) < 0.8


def test_an_image_and_its_copy_count_once_where_clusters_say_so() -> None:
    real, generated = drawn(100, 6, 0), drawn(4000, 6, 1, 1.3, 0.3)
    twice, clusters = torch.cat([real, real]), torch.arange(100).repeat(2)

    def error(rows: Tensor, ids: Tensor | None = None) -> float:
        seeds = range(6)
        found = [frechet_interval(rows, generated, real_clusters=ids, seed=seed) for seed in seeds]
        return float(np.mean([each.standard_error for each in found]))

    assert error(twice, clusters) == pytest.approx(error(real), rel=0.15)
    assert error(twice) < 0.85 * error(real)


def test_what_cannot_be_measured_is_said() -> None:
    rows = drawn(30, 5, 0)
    with pytest.raises(ValueError, match="at least 4"):
        frechet_interval(rows, rows[:3])
    with pytest.raises(ValueError, match="was one extractor used"):
        frechet_interval(rows, rows[:, :4])
    with pytest.raises(ValueError, match="generated: got features"):
        frechet_interval(rows, rows / 0)
    with pytest.raises(ValueError, match="none negative"):
        frechet_interval(rows, rows, -torch.ones(30))
    with pytest.raises(ValueError, match="40 groups for 30"):
        frechet_interval(rows, rows, replicates=40)
    with pytest.raises(ValueError, match="replicates: got 1"):
        frechet_interval(rows, rows, replicates=1)
    with pytest.raises(ValueError, match="method: got 'guess'"):
        frechet_interval(rows, rows, method="guess")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="draws single images"):
        frechet_interval(rows, rows, method="bootstrap", real_clusters=torch.arange(30))
