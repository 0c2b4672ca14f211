"""The terms of consistency: 0 where they should be, the angle where it is known, gradients that turn the right way."""

import math

import pytest
import torch

from facegen.geometry import cameras
from facegen.losses.consistency import identity_disagreement, pose_disagreement
from tests.models.tiny import camera_labels


def test_the_true_pose_has_no_disagreement() -> None:
    labels = camera_labels(8).double()
    assert pose_disagreement(cameras.head_pose(labels)[0], labels).abs().max() < 1e-6


@pytest.mark.parametrize("degrees", [5.0, 60.0, 150.0])
def test_it_is_one_minus_the_cosine_of_the_turn(degrees: float) -> None:
    angle = torch.zeros(1, 3, dtype=torch.float64)
    labels = cameras.from_coefficients(angle, torch.zeros_like(angle))
    for axis in range(3):
        turned = angle.clone()
        turned[0, axis] = math.radians(degrees)
        expected = 1 - math.cos(math.radians(degrees))
        assert pose_disagreement(turned, labels).item() == pytest.approx(expected, rel=1e-6)


def test_descending_finds_the_pose() -> None:
    labels = camera_labels(4, seed=5).double()
    angle = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([angle], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        pose_disagreement(angle, labels).sum().backward()
        optimizer.step()
    torch.testing.assert_close(angle.detach(), cameras.head_pose(labels)[0], atol=1e-3, rtol=0)


def test_gradients_are_those_of_finite_differences() -> None:
    labels = camera_labels(2).double()
    angle = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pose_disagreement(x, labels), [angle])


def test_identity_is_a_direction() -> None:
    one = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(identity_disagreement(one, 2 * one), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(identity_disagreement(one, -one), torch.full((3,), 2.0))
    assert identity_disagreement(torch.zeros(1, 5), one[:1]).isfinite().all()
