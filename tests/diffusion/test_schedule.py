"""Noise schedules: the published formulas, and what they must have in common."""

import math

import pytest
import torch

from facegen.diffusion.schedule import SCHEDULES, betas, vlb_weights


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("num_steps", [2, 10, 1000])
def test_noise_only_grows(name, num_steps) -> None:
    left = (1 - betas(name, num_steps=num_steps)).cumprod(0)
    assert left.dtype == torch.float64 and len(left) == num_steps
    assert (left > 0).all() and (left[0] < 1).all() and (left.diff() < 0).all()


def test_scaled_linear_is_linear_in_the_root() -> None:
    roots = betas("scaled_linear", 0.0015, 0.0195).sqrt()
    assert math.isclose(roots[0] ** 2, 0.0015) and math.isclose(roots[-1] ** 2, 0.0195)
    torch.testing.assert_close(roots.diff(), roots.diff()[:1].expand(999))


@pytest.mark.parametrize("name", SCHEDULES)
def test_zero_terminal_snr_keeps_the_first_level_and_ends_in_noise(name) -> None:
    plain, ends = betas(name), betas(name, zero_terminal_snr=True)
    left = (1 - ends).cumprod(0)
    assert left[-1] == 0 and math.isclose(left[0], 1 - plain[0], rel_tol=1e-12)
    roots, before = left.sqrt(), (1 - plain).cumprod(0).sqrt()
    slope = (roots[0] - roots[500]) / (before[0] - before[500])  # algorithm 1 shifts and scales the roots
    torch.testing.assert_close(roots[0] - roots, slope * (before[0] - before))


def test_vlb_weights_are_those_of_the_bound() -> None:
    values = betas("linear", 1e-4, 0.02, 50)
    weights = vlb_weights(values)
    alphas = 1 - values
    left = alphas.cumprod(0)
    step = 30
    variance = values[step] * (1 - left[step - 1]) / (1 - left[step])
    expected = values[step] ** 2 / (2 * variance * alphas[step] * (1 - left[step]))
    assert math.isclose(weights[step], expected, rel_tol=1e-12) and weights[0] == weights[1]


@pytest.mark.parametrize(
    "settings", [{"name": "sqrt"}, {"start": 0.0}, {"end": 1.0}, {"start": 0.02, "end": 0.01}, {"num_steps": 1}]
)
def test_other_settings_are_refused(settings) -> None:
    with pytest.raises(ValueError, match="schedule: got"):
        betas(**settings)
