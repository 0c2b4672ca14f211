"""Scale and shift that bring a model into Deep3DFaceRecon's frame."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.geometry.alignment_points import FIVE_POINTS_3D, five_points
from facegen.geometry.cameras import head_rotation
from facegen.morphable.formats.frame import frame_of
from tests.morphable.formats.samples import face_points


def nod(angle: float) -> Tensor:
    return head_rotation(torch.tensor([[angle, 0, 0]], dtype=torch.float64))[0]


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.2])
def test_another_frame_is_found_again(angle: float) -> None:
    landmarks = torch.from_numpy(face_points(0)[:68])
    moved = (landmarks @ nod(-angle) - torch.tensor([1.0, 2, -3])) / 0.013
    frame = frame_of(moved, angle)
    torch.testing.assert_close(frame.points(moved), landmarks)
    torch.testing.assert_close(frame.offsets(moved[1] - moved[0]), landmarks[1] - landmarks[0])


def test_a_positive_nod_lowers_the_chin() -> None:
    landmarks = torch.from_numpy(face_points(0)[:68])
    ahead = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    assert frame_of(landmarks, 0.1).offsets(ahead)[1] < 0


def test_no_other_scale_and_shift_is_nearer() -> None:
    generator = torch.Generator().manual_seed(0)
    landmarks = torch.from_numpy(face_points(0)[:68]) + 0.03 * torch.randn(68, 3, generator=generator)
    frame = frame_of(landmarks, 0.05)

    def gap(linear: Tensor, shift: Tensor) -> float:
        points = five_points((landmarks @ linear + shift).numpy())
        return float(((points - np.array(FIVE_POINTS_3D)) ** 2).sum())

    best = gap(frame.linear, frame.shift)
    centre = torch.from_numpy(five_points(landmarks.numpy()).mean(axis=0))
    for factor in (0.99, 1.01):
        assert gap(frame.linear * factor, frame.shift + centre @ frame.linear * (1 - factor)) > best
    for axis in torch.eye(3, dtype=torch.float64):
        assert min(gap(frame.linear, frame.shift + 0.01 * axis), gap(frame.linear, frame.shift - 0.01 * axis)) > best


def test_one_point_sixty_eight_times_is_finite() -> None:
    frame = frame_of(torch.ones(68, 3))
    assert bool(frame.linear.isfinite().all()) and bool(frame.shift.isfinite().all())
