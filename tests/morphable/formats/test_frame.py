"""Scale and shift that bring a model into Deep3DFaceRecon's frame."""

import numpy as np
import torch

from facegen.geometry.alignment_points import FIVE_POINTS_3D, five_points
from facegen.morphable.formats.frame import frame_of
from tests.morphable.formats.samples import face_points


def test_a_scaled_and_shifted_face_is_found_again() -> None:
    landmarks = torch.from_numpy(face_points(0)[:68])
    moved = (landmarks - torch.tensor([1.0, 2, -3])) / 0.013
    frame = frame_of(moved)
    torch.testing.assert_close(frame.points(moved), landmarks)
    torch.testing.assert_close(frame.offsets(moved[1] - moved[0]), landmarks[1] - landmarks[0])


def test_no_other_scale_and_shift_is_nearer() -> None:
    landmarks = torch.from_numpy(face_points(0)[:68]) + 0.03 * torch.randn(
        68, 3, generator=torch.Generator().manual_seed(0)
    )
    frame = frame_of(landmarks)

    def gap(scale: float, shift: torch.Tensor) -> float:
        points = five_points((scale * landmarks + shift).numpy())
        return float(((points - np.array(FIVE_POINTS_3D)) ** 2).sum())

    best = gap(frame.scale, frame.shift)
    for factor in (0.99, 1.01):
        assert gap(frame.scale * factor, frame.shift) > best
    for axis in torch.eye(3, dtype=torch.float64):
        assert min(gap(frame.scale, frame.shift + 0.01 * axis), gap(frame.scale, frame.shift - 0.01 * axis)) > best


def test_one_point_sixty_eight_times_is_finite() -> None:
    frame = frame_of(torch.ones(68, 3))
    assert np.isfinite(frame.scale) and bool(frame.shift.isfinite().all())
