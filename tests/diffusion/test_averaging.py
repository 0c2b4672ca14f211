"""Averages of weights: the reference's numbers, and profiles integrated by hand."""

import numpy as np
import pytest

from facegen.diffusion.averaging import exponent, posthoc_coefficients, power_decay, warmup_decay


def profile(std: float, time: float, at: np.ndarray) -> np.ndarray:
    """Weight of each moment of training in a power-function average."""
    gamma = exponent(std)
    return np.where(at <= time, (gamma + 1) * (at / time) ** gamma / time, 0)


@pytest.mark.parametrize("std", [0.01, 0.05, 0.1, 0.25])
def test_an_exponent_has_the_width_that_was_asked_for(std) -> None:
    at = (np.arange(200_000) + 0.5) / 200_000
    weights = profile(std, 1.0, at) / len(at)
    mean = (weights * at).sum()
    assert np.isclose(np.sqrt((weights * (at - mean) ** 2).sum()), std, rtol=1e-4)


def test_updates_give_the_profile() -> None:
    batch, steps, std = 10, 400, 0.1
    weights = np.zeros(steps)
    for step in range(1, steps + 1):
        decay = power_decay(std, batch, step * batch)
        weights *= decay
        weights[step - 1] += 1 - decay
    at = (np.arange(steps) + 0.5) / steps
    assert np.isclose(weights.sum(), 1) and np.abs(weights * steps - profile(std, 1.0, at)).max() < 0.05


def test_posthoc_averages_have_the_profile_of_their_width() -> None:
    times = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 2)
    stds = [0.05, 0.1] * 8
    at = (np.arange(40_000) + 0.5) / 5000
    for wanted in (0.05, 0.07, 0.1, 0.15):
        factors = posthoc_coefficients(list(times), stds, 8.0, [wanted])[:, 0]
        found = sum(factor * profile(std, time, at) for factor, std, time in zip(factors, stds, times, strict=True))
        expected = profile(wanted, 8.0, at)
        assert np.isclose(factors.sum(), 1)
        assert np.abs(found - expected).mean() < 0.04 * expected.mean()


def test_warmup() -> None:
    assert warmup_decay(1) == 2 / 11 and warmup_decay(10**6) == 0.9999 and warmup_decay(1, 0.1) == 0.1


@pytest.mark.parametrize("std", [0.0, 0.28, float("nan")])
def test_widths_that_no_power_has_are_refused(std) -> None:
    with pytest.raises(ValueError, match="relative width"):
        exponent(std)


def test_times_and_widths_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="got 1 times for 2 widths"):
        posthoc_coefficients([1.0], [0.05, 0.1], 1.0, [0.1])
