"""Who says where a face is: the network, detected landmarks, the fit; and what becomes of pictures without a face."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegen.curation.models import Detection, FaceModels, Loaded
from facegen.data.pictures import to_uint8
from facegen.evaluation.estimator import MorphableEstimator, estimator_of
from facegen.metrics.geometry import rotation_degrees
from facegen.morphable.fitting import Fitter
from facegen.morphable.views import face_view
from tests.models.tiny import camera_labels
from tests.morphable.small import faces_seen_from, small_model
from tests.morphable.test_regressor import small_regressor

SIDE = 64
SHOWN: dict[int, np.ndarray] = {}  # what the detector below finds, by the picture's first bytes


def _load_known() -> Loaded:
    def detect(pixels: np.ndarray, path: Path) -> list[Detection]:
        return [Detection((0.0, 0.0, 1.0, 1.0), 0.2), Detection((0.0, 0.0, SIDE, SIDE), 0.9)] if _key(pixels) else []

    def landmarks(pixels: np.ndarray, path: Path, box: tuple[float, float, float, float]) -> np.ndarray:
        assert box[2] == SIDE, "the surest face"
        return SHOWN[_key(pixels)]

    return Loaded(detect, landmarks)


def _key(pixels: np.ndarray) -> int:
    return int(pixels.astype(np.int64).sum())


KNOWN = FaceModels("known", "", _load_known)


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of faces whose landmarks the detector knows, the second one black; and their cameras."""
    model, labels = small_model(), camera_labels(3, seed=4)
    view = face_view(model, faces_seen_from(model, labels), SIDE)
    images = to_uint8(view.images)
    images[1] = 0
    SHOWN.update(
        {_key(image.permute(1, 2, 0).numpy()): p.numpy() for image, p in zip(images, view.landmarks, strict=True)}
    )
    return images, labels


def test_a_network_alone_says_what_it_sees() -> None:
    images, _ = pictures()
    regressor = small_regressor()
    estimator = MorphableEstimator(regressor)
    sight, estimate = estimator.look(images, batch_size=2), estimator(images)
    torch.testing.assert_close(sight.coefficients, regressor.coefficients(images / 127.5 - 1))
    torch.testing.assert_close(estimate.labels, sight.labels)
    assert torch.equal(estimate.mask, sight.mask) and estimate.depth.shape == (3, 1, SIDE, SIDE)
    assert sight.score.isnan().all() and sight.residual.isfinite().all()


def test_landmarks_and_a_fit_find_the_camera_and_a_picture_without_a_face_hurts_no_other() -> None:
    images, labels = pictures()
    estimator = MorphableEstimator(detector=KNOWN, fitter=Fitter(small_model(), photometric=False))
    sight = estimator.look(images)
    degrees = rotation_degrees(labels, sight.labels)
    assert degrees[[0, 2]].max() < 5 and degrees[1].isnan()
    assert sight.coefficients[1].isnan().all() and not sight.mask[1].any() and sight.score[1] == 1
    assert sight.mask[0].any() and sight.score[[0, 2]].isfinite().all()


def test_an_estimator_needs_something_that_sees() -> None:
    with pytest.raises(ValueError, match="got no regressor"):
        MorphableEstimator()
    with pytest.raises(ValueError, match="detector without a fitter"):
        MorphableEstimator(small_regressor(), detector=KNOWN)
    with pytest.raises(ValueError, match="expected one of: dlib, mediapipe"):
        estimator_of(None, "eyes")


def test_names_become_an_estimator(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(*names: Any) -> Any:
        asked.append(names)
        return small_regressor()

    monkeypatch.setattr("facegen.evaluation.estimator.load_regressor", load)
    plain = estimator_of("folder")
    refined = estimator_of("folder", refine=True, morphable="file")
    assert asked == [("folder", None), ("folder", "file")]
    assert plain.fitter is None and refined.fitter is not None and refined.detector is None
