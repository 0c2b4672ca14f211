"""What hides a face, who else is there, how it is turned, and what it wears."""

import cv2
import numpy as np
import pytest

from facegen.curation.quality.aligned import SIZE, TEMPLATE, align, transform
from facegen.curation.quality.neighbours import find_neighbours
from facegen.curation.quality.occlusion import hidden, share_hidden
from facegen.curation.quality.poses import outside, yaw_degrees
from facegen.curation.quality.wearing import worn
from facegen.data.masks import CELEBAMASK
from facegen.data.poses import yaw_pitch_degrees
from facegen.geometry.alignment import five_points
from tests.curation.conftest import Truth


def test_an_occluder_is_marked_where_it_is(large: list[Truth]) -> None:
    for truth in large:
        covered, middle = truth.image.copy(), truth.landmarks[48:68].mean(axis=0)
        low, high = ((middle + sign * np.array([45, 30])).astype(int) for sign in (-1, 1))
        covered[low[1] : high[1], low[0] : high[0]] = (40, 90, 160)
        faces = [align(picture, truth.landmarks) for picture in (truth.image, covered)]
        marks = hidden(faces)
        clean, found = (share_hidden(mark, face) for mark, face in zip(marks, faces, strict=True))
        assert clean < 0.1 and 0.12 < found < 0.5
        assert marks[1][46, 32] > 0.5 > marks[1][22, 32]  # the mouth, not the bridge of the nose


def test_aligned_faces_lie_on_the_template_however_they_are_turned(large: list[Truth]) -> None:
    points = large[0].landmarks
    turned = points @ np.array([[0.8, 0.6], [-0.6, 0.8]]) * 1.7 + 30
    placed = [each @ transform(each)[:, :2].T + transform(each)[:, 2] for each in (points, turned)]
    np.testing.assert_allclose(placed[0], placed[1], atol=1e-6)
    assert np.abs(five_points(placed[0]) - TEMPLATE).max() < 8
    face = align(large[0].image, points + 1000).face
    assert face.shape == (SIZE, SIZE) and not face.any()  # all of it lies outside the picture


def test_large_pictures_are_reduced_by_areas(large: list[Truth]) -> None:
    enlarged = cv2.resize(large[0].image, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    one, other = align(large[0].image, large[0].landmarks), align(enlarged, large[0].landmarks * 6)
    assert np.abs(one.pixels.astype(float) - other.pixels).mean() < 6


def test_another_face_is_counted_and_an_empty_wall_is_not(large: list[Truth]) -> None:
    first, second = large
    wall = np.full((256, 400, 3), 120, np.uint8)
    wall[:, :256] = first.image
    assert find_neighbours(wall, first.landmarks).largest < 0.3
    wall[:, 230:] = second.image[:, 40:210]
    found = find_neighbours(wall, first.landmarks)
    assert found.others >= 1 and found.largest > 0.3


def test_yaw_of_landmarks_is_that_of_the_camera(faces: list[Truth]) -> None:
    for truth in faces:
        yaw = yaw_pitch_degrees(truth.label[None])[0, 0]
        assert yaw_degrees(truth.landmarks) == pytest.approx(yaw, abs=10)
        mirrored = truth.landmarks.copy()[[*range(16, -1, -1), *range(26, 16, -1), *range(27, 68)]] * (-1, 1)
        mirrored[27:] = mirrored[27:]
        mirrored[[*range(36, 42), *range(42, 48)]] = mirrored[[45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]]
        mirrored[[48, 54]] = mirrored[[54, 48]]
        assert yaw_degrees(mirrored) == pytest.approx(-yaw_degrees(truth.landmarks), abs=3)


def test_the_share_outside_is_that_of_the_square(large: list[Truth]) -> None:
    points = large[0].landmarks
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    assert outside(points - centre + 500, 1000, 1000) == 0
    assert outside(points - centre + (500, 0), 1000, 1000) == pytest.approx(0.5)
    assert outside(points - centre, 1000, 1000) == pytest.approx(0.75)


def test_hats_dark_glasses_and_covered_skin_are_read_from_the_mask(large: list[Truth]) -> None:
    points, pixels = large[0].landmarks, np.full((256, 256, 3), 200, np.uint8)
    mask = np.full((256, 256), CELEBAMASK.index("skin"), np.uint8)
    assert worn(mask, pixels, points) == (0, 0, 0)
    mask[:20] = CELEBAMASK.index("hat")
    for eye in (points[36:42], points[42:48]):
        (left, upper), (right, lower) = eye.min(0).astype(int) - 12, eye.max(0).astype(int) + 12
        mask[upper:lower, left:right] = CELEBAMASK.index("eye_g")
        pixels[upper:lower, left:right] = 20
    found = worn(mask, pixels, points)
    assert found.hat > 0.1 and found.dark_glasses > 0.6 and found.hidden == 0
    assert worn(mask, np.full_like(pixels, 200), points).dark_glasses == 0  # clear glasses
    mask[int(points[33, 1]) :] = CELEBAMASK.index("cloth")
    assert 0.2 < worn(mask, pixels, points).hidden < 0.8
    with pytest.raises(ValueError, match="expected \\(256, 256\\) as the picture has"):
        worn(mask[:100], pixels, points)
