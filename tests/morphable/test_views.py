"""What the camera of a model sees is where a camera label of the same view puts it."""

import pytest
import torch

from facegen.geometry import cameras
from facegen.geometry.projection import project
from facegen.morphable.views import face_view
from tests.models.tiny import camera_labels
from tests.morphable.small import faces_seen_from, small_model


def test_landmarks_and_depth_are_those_of_the_camera_label() -> None:
    model, labels = small_model(), camera_labels(5)
    coefficients = faces_seen_from(model, labels)
    view = face_view(model, coefficients, 64)
    parts = model.split(coefficients)
    world = cameras.to_label_world(model.shape_of(parts.identity, parts.expression)[:, model.landmarks])
    torch.testing.assert_close(view.landmarks / 64, project(world, labels), atol=2e-5, rtol=0)
    before = (world - cameras.positions(labels)[:, None]) @ cameras.split_label(labels)[0][:, :3, :3]
    torch.testing.assert_close(view.points * cameras.LABEL_SCALE, before, atol=2e-5, rtol=0)
    pixels = view.landmarks[:, 30].long()  # near the nose: its depth is that of the picture there
    for row, (x, y) in enumerate(pixels.tolist()):
        if 0 <= x < 64 and 0 <= y < 64 and view.mask[row, 0, y, x]:
            assert view.depth[row, 0, y, x] <= view.points[row, 30, 2] + 0.2


def test_labels_have_the_true_rotation() -> None:
    model, labels = small_model(), camera_labels(5)
    seen = face_view(model, faces_seen_from(model, labels), 32).labels
    torch.testing.assert_close(seen[:, [0, 1, 2, 4, 5, 6, 8, 9, 10]], labels[:, [0, 1, 2, 4, 5, 6, 8, 9, 10]])


def test_a_face_of_nan_is_seen_nowhere_and_hurts_no_other() -> None:
    model, labels = small_model(), camera_labels(3)
    coefficients = faces_seen_from(model, labels)
    alone = face_view(model, coefficients, 32)
    coefficients[1, 0] = torch.nan
    view = face_view(model, coefficients, 32)
    assert not view.mask[1].any() and not view.seen[1].any() and view.landmarks[1].isnan().all()
    assert view.mask[0].any() and torch.equal(view.images[[0, 2]], alone.images[[0, 2]])
    assert view.depth.isfinite().all() and (view.images[1] == -1).all()


def test_coefficients_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="morphable"):
        face_view(small_model(), torch.zeros(1, 257), 32)
