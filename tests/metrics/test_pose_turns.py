"""Turns between cameras: angles that are known, and the part that all cameras share."""

import math

import pytest
import torch

from facegen.geometry import cameras
from facegen.metrics.geometry import rotation_degrees, rotation_offset_degrees
from tests.models.tiny import camera_labels


def about(axis: int, degrees: float) -> torch.Tensor:
    """A turn (4, 4) of the world about one of its axes."""
    angle = torch.zeros(1, 3, dtype=torch.float64)
    angle[0, axis] = math.radians(degrees)
    turn = torch.eye(4, dtype=torch.float64)
    turn[:3, :3] = cameras.head_rotation(angle)[0]
    return turn


def turned(labels: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    pose, intrinsics = cameras.split_label(labels)
    return cameras.label(turn @ pose, intrinsics)


@pytest.mark.parametrize("degrees", [0.0, 0.01, 3.0, 90.0, 170.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_angle_of_a_turn(axis: int, degrees: float) -> None:
    labels = camera_labels(4).double()
    found = rotation_degrees(labels, turned(labels, about(axis, degrees)))
    torch.testing.assert_close(found, torch.full_like(found, degrees), atol=1e-4, rtol=0)


def test_a_shared_turn_is_found_among_others() -> None:
    labels = camera_labels(64).double()
    shaken = torch.cat([turned(labels[i : i + 1], about(i % 3, (-1) ** i * 4.0)) for i in range(64)])
    assert rotation_offset_degrees(labels, shaken) < 0.5
    moved = turned(shaken, about(0, 7.0))
    assert rotation_offset_degrees(labels, moved) == pytest.approx(7.0, abs=0.5)
    moved[3] = torch.nan
    assert rotation_offset_degrees(labels, moved) == pytest.approx(7.0, abs=0.6)
    assert math.isnan(rotation_offset_degrees(labels, torch.full_like(labels, torch.nan)))
    assert rotation_degrees(labels, moved)[3].isnan()
