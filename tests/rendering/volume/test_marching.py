"""Compositing: what must hold of any density."""

import math

import torch
import torch.nn.functional as F

from facegen.rendering.volume import composite, march, point_weights, ray_weights


def _samples(batch: int = 2, rays: int = 3, count: int = 9):
    generator = torch.Generator().manual_seed(2)
    depths = torch.rand(batch, rays, count, generator=generator).sort().values + 1
    sigma = torch.randn(batch, rays, count, generator=generator) * 3
    return torch.rand(batch, rays, count, 4, generator=generator), sigma, depths


def test_weights_are_what_does_not_pass():
    """The sum of all weights is 1 - exp(-optical depth)."""
    _, sigma, depths = _samples()
    density = F.softplus((sigma[..., 1:] + sigma[..., :-1]) / 2 - 1)
    passed = torch.exp(-(density * depths.diff()).sum(-1))
    torch.testing.assert_close(ray_weights(sigma, depths).sum(-1), 1 - passed)


def test_splitting_intervals_of_a_uniform_medium_changes_nothing():
    coarse, fine = torch.linspace(0, 2, 5), torch.linspace(0, 2, 9)
    weights = [ray_weights(torch.full_like(depths, 1.3), depths) for depths in (coarse, fine)]
    torch.testing.assert_close(weights[0], weights[1].unflatten(-1, (4, 2)).sum(-1))


def test_a_wall_hides_what_is_behind():
    depths = torch.linspace(1, 2, 11).expand(1, 1, 11)
    sigma = torch.where(torch.arange(11) >= 5, 1e4, -1e4).expand(1, 1, 11)
    colors = torch.linspace(0, 1, 11)[:, None].expand(1, 1, 11, 3)
    color, depth, weights = march(colors, sigma, depths)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 1))
    assert 1.4 <= depth.item() <= 1.6
    assert weights[..., 6:].sum() < 1e-9
    torch.testing.assert_close(color, (point_weights(weights)[..., None] * colors).sum(2) * 2 - 1)


def test_empty_space():
    _, _, depths = _samples()
    nothing = torch.full_like(depths, -200.0)
    black, far, weights = march(torch.rand(2, 3, 9, 4), nothing, depths)
    white, _, _ = march(torch.rand(2, 3, 9, 4), nothing, depths, white_back=True)
    assert not weights.any()
    assert (black == -1).all() and (white == 1).all()
    assert (far == depths.max()).all()


def test_half_transparent_on_white():
    half = torch.full([1, 1, 1], 0.5)
    assert composite(half * 0.5, half).item() == -0.5
    assert composite(half * 0.5, half, white_back=True).item() == 0.5


def test_weights_of_samples_keep_the_sum():
    weights = torch.rand(2, 3, 8)
    points = point_weights(weights)
    assert points.shape == (2, 3, 9)
    torch.testing.assert_close(points.sum(-1), weights.sum(-1))


def test_opacity_of_one_interval():
    """The mean of the raw densities goes through softplus, not the mean of the densities."""
    weights = ray_weights(torch.tensor([[[0.0, 4.0]]]), torch.tensor([[[1.0, 1.5]]]))
    density = math.log1p(math.exp((0.0 + 4.0) / 2 - 1))
    torch.testing.assert_close(weights.item(), 1 - math.exp(-density * 0.5))


def test_gradients_against_finite_differences():
    colors, sigma, depths = (value.double() for value in _samples(1, 2, 6))
    inputs = (colors.requires_grad_(), sigma.requires_grad_())
    assert torch.autograd.gradcheck(lambda c, s: march(c, s, depths), inputs)
