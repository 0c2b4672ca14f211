"""Losses of first stages against their definitions, and the weight that cannot blow up."""

import math

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as reference_kl

from facegen.losses.first_stage import (
    adaptive_weight,
    gaussian_nll,
    hinge_discriminator_loss,
    hinge_generator_loss,
    kl_divergence,
    psnr,
    reconstruction_nll,
)


def test_divergence_and_likelihood_are_those_of_normal_distributions() -> None:
    mean, logvar, x = torch.randn(3, 4, 2, 5, 5, generator=torch.Generator().manual_seed(0)).unbind()
    ours = Normal(mean, (0.5 * logvar).exp())
    expected = reference_kl(ours, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(dim=(1, 2, 3))
    torch.testing.assert_close(kl_divergence(mean, logvar), expected)
    torch.testing.assert_close(gaussian_nll(x, mean, logvar), -ours.log_prob(x).sum(dim=(1, 2, 3)))


def test_perceptual_error_counts_at_every_number() -> None:
    images, targets = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.5)
    errors = reconstruction_nll(images, targets, torch.tensor([0.0, 1.0]))
    assert errors.shape == images.shape
    torch.testing.assert_close(errors.mean(dim=(1, 2, 3)), torch.tensor([0.5, 1.5]))
    likely = reconstruction_nll(images, targets, log_variance=math.log(2))
    torch.testing.assert_close(likely, torch.full_like(likely, 0.25 + math.log(2)))


def test_hinge_stops_pulling_where_logits_are_clear() -> None:
    real, fake = torch.tensor([2.0, 0.0]).requires_grad_(), torch.tensor([-3.0, 0.5]).requires_grad_()
    loss = hinge_discriminator_loss(real, fake)
    assert loss.item() == pytest.approx(0.5 * (0.5 + 0.75))
    pulls = torch.autograd.grad(loss, [real, fake])
    assert pulls[0].tolist() == [0.0, -0.25] and pulls[1].tolist() == [0.0, 0.25]
    assert hinge_generator_loss(fake).item() == pytest.approx(1.25)


def test_weight_is_the_ratio_of_gradients() -> None:
    weight = adaptive_weight(torch.full((4,), 3.0), torch.full((4,), 1.5))
    assert weight.item() == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("bad", [0.0, 1e-30, math.nan, math.inf, -math.inf])
def test_weight_stays_within_its_limits(bad: float) -> None:
    good, other = torch.ones(4), torch.full((4,), bad)
    for weight in (adaptive_weight(good, other), adaptive_weight(other, good), adaptive_weight(other, other)):
        assert 0 <= weight.item() <= 1e4
    if not math.isfinite(bad):
        assert adaptive_weight(other, good).item() == 0 and adaptive_weight(good, other).item() == 0
    assert adaptive_weight(good * 1e9, good).item() == 1e4


def test_signal_to_noise_ratio() -> None:
    found = psnr(torch.stack([torch.full((3, 2, 2), 0.2), torch.zeros(3, 2, 2)]))
    assert found.tolist() == pytest.approx([20.0, 120.0], abs=1e-3)
