"""Labels drawn on images: where the axes and landmarks end up."""

import math

import numpy as np
import pytest
import torch

from facegen.geometry import cameras
from facegen.geometry.overlay import AXES, AXIS_LENGTH, LANDMARKS, MODEL, draw_overlay

SIZE = 256
BLANK = np.zeros((SIZE, SIZE, 3), np.uint8)


def label(h: float = math.pi / 2, v: float = math.pi / 2) -> np.ndarray:
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())[0].numpy()


def centre(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Mean (x, y) of the pixels of a colour."""
    rows, columns = np.nonzero((picture == color).all(-1))
    assert len(rows), f"nothing is drawn in {color}"
    return np.array([columns.mean(), rows.mean()]) + 0.5


def test_axes_from_in_front() -> None:
    picture = draw_overlay(BLANK, label())
    reach = SIZE * cameras.FOCAL * AXIS_LENGTH / (cameras.RADIUS - cameras.PIVOT[2])
    middle = np.array([SIZE, SIZE]) / 2
    x, y, z = (centre(picture, AXES[name]) for name in "xyz")
    assert reach / 3 < (x - middle)[0] < reach and abs((x - middle)[1]) < 3
    assert -reach < (y - middle)[1] < -reach / 3 and abs((y - middle)[0]) < 4
    assert np.abs(z - middle).max() < 6
    assert not BLANK.any()


def test_axes_follow_the_camera() -> None:
    """From the right of the viewer in front, the face looks to the left; from above, its z axis points down."""
    from_right, from_above = draw_overlay(BLANK, label(h=2.1)), draw_overlay(BLANK, label(v=1.2))
    assert centre(from_right, AXES["z"])[0] < SIZE / 2 - 10 < centre(from_right, AXES["x"])[0]
    assert centre(from_above, AXES["z"])[1] > SIZE / 2 + 5


def test_landmarks_and_the_points_of_a_model_agree_where_the_label_is_right() -> None:
    right, wrong = label(h=1.9), label(h=1.2)
    point = np.array([[0.1, 0.15, 0.1]])
    from facegen.geometry.projection import project

    landmark = project(torch.from_numpy(point).float(), torch.from_numpy(right)[None])[0].numpy() * SIZE
    picture = draw_overlay(BLANK, right, landmark, point)
    np.testing.assert_allclose(centre(picture, LANDMARKS), landmark[0], atol=1.5)
    np.testing.assert_allclose(centre(picture, MODEL), landmark[0], atol=1.5)
    away = centre(draw_overlay(BLANK, wrong, landmark, point), MODEL)
    assert np.linalg.norm(away - landmark[0]) > 10


def test_a_camera_that_looks_away_draws_no_axes_but_says_so() -> None:
    poses = cameras.look_at(math.pi / 2, math.pi / 2) * torch.tensor([-1.0, 1, -1, 1])
    away = cameras.label(poses, cameras.pinhole_intrinsics())[0].numpy()
    picture = draw_overlay(BLANK, away, model_points=np.zeros((1, 3)))
    for color in (*AXES.values(), MODEL):
        assert not (picture == color).all(-1).any()
    assert picture[SIZE // 2 :].any() and not picture[: SIZE // 2].any()


def test_captions_are_drawn_above() -> None:
    plain, captioned = draw_overlay(BLANK, label()), draw_overlay(BLANK, label(), caption="yaw 3")
    changed = np.nonzero((plain != captioned).any(-1))[0]
    assert len(changed) and changed.max() < 30


def test_a_label_that_is_no_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="overlay: numbers 13 to 16"):
        draw_overlay(BLANK, np.zeros(25))
