"""Samples along rays."""

import pytest
import torch

from facegen.rendering.volume import sample_importance, sample_pdf, sample_stratified, smooth_weights


@pytest.mark.parametrize("disparity", [False, True])
def test_every_stratum_has_one_sample(disparity):
    uniform = torch.rand(2, 30, 10)
    depths = sample_stratified(2.0, 4.0, uniform, disparity)
    edges = sample_stratified(2.0, 4.0, torch.zeros(1, 1, 11), disparity)
    spacing = torch.linspace(0, 1, 10)
    expected = 1 / ((1 - spacing) / 2.0 + spacing / 4.0) if disparity else 2 + 2 * spacing
    torch.testing.assert_close(sample_stratified(2.0, 4.0, torch.zeros(1, 1, 10), disparity)[0, 0], expected)
    assert edges.shape == (1, 1, 11)
    assert (depths >= expected).all()
    assert (depths[..., :-1] <= expected[1:]).all()
    assert (depths[..., -1] > 4).any()  # as published


def test_limits_for_each_ray():
    near, far = torch.rand(2, 5, 1) + 1, torch.rand(2, 5, 1) + 3
    depths = sample_stratified(near, far, torch.zeros(2, 5, 7))
    torch.testing.assert_close(depths[..., :1], near)
    torch.testing.assert_close(depths[..., -1:], far)
    same = sample_stratified(torch.full([2, 5, 1], 2.25), torch.full([2, 5, 1], 3.3), torch.full([2, 5, 7], 0.3))
    torch.testing.assert_close(same, sample_stratified(2.25, 3.3, torch.full([2, 5, 7], 0.3)))


def test_one_sample_is_not_enough():
    with pytest.raises(ValueError, match="got 1 on a ray, expected at least 2"):
        sample_stratified(1.0, 2.0, torch.rand(1, 1, 1))


def test_smoothed_weights():
    weights = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    torch.testing.assert_close(smooth_weights(weights), torch.tensor([[0.0, 0.0, 0.5, 1.0, 0.5, 0.0]]) + 0.01)
    assert smooth_weights(torch.rand(2, 3, 9)).shape == (2, 3, 9)


def test_samples_follow_the_density():
    """Quantiles of a piecewise constant density."""
    bins = torch.tensor([[0.0, 1.0, 3.0]])
    uniform = torch.linspace(0, 0.999, 1000)[None]
    samples = sample_pdf(bins, torch.tensor([[3.0, 1.0]]), uniform)
    torch.testing.assert_close((samples < 1).float().mean().item(), 0.75, atol=2e-3, rtol=0)
    torch.testing.assert_close(samples[0, 500].item(), 2 / 3, atol=2e-3, rtol=0)
    assert (samples.diff() >= 0).all()
    assert samples.min() >= 0 and samples.max() <= 3


def test_importance_samples_gather_where_the_weight_is():
    depths = torch.linspace(1, 2, 21).expand(1, 4, 21)
    weights = torch.zeros(1, 4, 20)
    weights[..., 12] = 1  # between 1.60 and 1.65
    found = sample_importance(depths, weights, torch.rand(1, 4, 2000))
    assert ((found > 1.5) & (found < 1.75)).float().mean() > 0.8
    assert found.min() < 1.4  # nothing is left out altogether
    assert found.min() >= 1.02 and found.max() <= 1.98


def test_no_gradient_through_positions():
    depths, weights = torch.rand(1, 2, 6).sort().values.requires_grad_(), torch.rand(1, 2, 5).requires_grad_()
    assert not sample_importance(depths, weights, torch.rand(1, 2, 3)).requires_grad
