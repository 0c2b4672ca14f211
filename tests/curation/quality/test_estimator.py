"""Quality falls with damage, blur is found in pixels."""

import cv2
import numpy as np
import pytest

from facegen.curation.quality.estimator import judge
from facegen.curation.quality.faces import face_square
from facegen.curation.quality.statistics import statistics
from facegen.curation.stages import Rejection
from tests.curation.conftest import Truth


def _face(truth: Truth) -> np.ndarray:
    return face_square(truth.image, truth.landmarks).pixels


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
def test_blur_is_the_sigma_that_was_planted(large: list[Truth], sigma: float) -> None:
    for truth in large:
        assert judge(cv2.GaussianBlur(_face(truth), (0, 0), sigma)).blur == pytest.approx(sigma, rel=0.35)


def test_quality_falls_with_every_kind_of_damage(large: list[Truth]) -> None:
    face, generator = _face(large[0]), np.random.default_rng(0)

    def noisy(deviation: float) -> np.ndarray:
        return np.clip(face + generator.normal(0, deviation, face.shape), 0, 255).astype(np.uint8)

    def compressed(quality: int) -> np.ndarray:
        data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    clean = judge(face).quality
    assert clean > 0.8
    for mild, severe in (
        (cv2.GaussianBlur(face, (0, 0), 1.5), cv2.GaussianBlur(face, (0, 0), 5)),
        (noisy(10), noisy(40)),
        (compressed(30), compressed(4)),
    ):
        assert clean > judge(np.asarray(mild)).quality > judge(np.asarray(severe)).quality


def test_numbers_are_finite_for_flat_and_tiny_pictures() -> None:
    for picture in (np.zeros((16, 16), np.uint8), np.full((40, 17), 255, np.uint8), np.eye(64, dtype=np.uint8) * 255):
        assert np.isfinite(statistics(picture)).all()
        assert 0 <= judge(np.repeat(picture[..., None], 3, axis=2)).quality <= 1
    with pytest.raises(ValueError, match="got 15x16 pixels, expected 16 or more"):
        statistics(np.zeros((16, 15), np.uint8))


def test_statistics_do_not_depend_on_where_the_blocks_of_a_jpeg_begin(large: list[Truth]) -> None:
    data = cv2.imencode(".jpg", large[0].image, [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    blocks = [statistics(np.ascontiguousarray(picture[shift:, shift:]))[-4:-2] for shift in (0, 3, 5)]
    clean = statistics(cv2.cvtColor(large[0].image, cv2.COLOR_RGB2GRAY))[-4:-2]
    assert min(value.min() for value in blocks) > clean.max() + 0.1


def test_the_square_lies_about_the_landmarks_and_is_never_enlarged(large: list[Truth]) -> None:
    square = face_square(large[0].image, large[0].landmarks, largest=64)
    assert max(square.pixels.shape[:2]) == 64
    assert square.side == pytest.approx(square.scale * 64, rel=0.05)
    assert face_square(large[0].image, None).pixels.shape == (180, 180, 3)
    with pytest.raises(Rejection, match="face too small"):
        face_square(large[0].image, large[0].landmarks + 500)
