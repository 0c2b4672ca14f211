"""Density regularisers on fields whose values are known."""

import torch

from facegen.losses import density_monotonicity, density_smoothness


def test_smoothness_of_a_linear_field_is_the_mean_step() -> None:
    points, offsets = torch.rand(2, 50, 3), torch.randn(2, 50, 3)
    expected = (offsets @ torch.tensor([1.0, -2.0, 0.5])).abs().mean()
    found = density_smoothness(lambda x: (x @ torch.tensor([1.0, -2.0, 0.5]))[..., None], points, offsets)
    torch.testing.assert_close(found, expected)


def test_monotonicity_counts_falls_towards_the_back_only() -> None:
    points = torch.rand(2, 50, 3)
    falls = density_monotonicity(lambda x: 3 * x[..., 2:], points, 0.1, detach=False)
    torch.testing.assert_close(falls, torch.tensor(3 * 0.1 * 10))
    assert density_monotonicity(lambda x: -3 * x[..., 2:], points, 0.1, detach=False) == 0


def test_detached_monotonicity_moves_the_back_only() -> None:
    front, back = torch.ones(1, 1, requires_grad=True), torch.zeros(1, 1, requires_grad=True)

    def sigma(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x[..., 2:] > 0.5, front, back)

    points = torch.tensor([[[0.0, 0.0, 0.55]]])
    density_monotonicity(sigma, points, 0.1, detach=True).backward()
    assert front.grad is not None and back.grad is not None
    assert front.grad.item() == 0 and back.grad.item() == -10
    density_monotonicity(sigma, points, 0.1, detach=False).backward()
    assert front.grad.item() == 10
