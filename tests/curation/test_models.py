"""The models that come by name, on real files where they are installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from facegen.curation.mediapipe_models import VERTICES
from facegen.curation.models import loaded, named_models
from facegen.curation.photographs import list_photographs, read_photograph
from facegen.curation.stages import Rejection
from facegen.morphable.procedural.landmarks import landmark_order_when_mirrored
from tests.curation.conftest import PLACE, Truth, compose

needs_dlib = pytest.mark.skipif(
    importlib.util.find_spec("dlib") is None or importlib.util.find_spec("face_recognition_models") is None,
    reason="dlib is an optional extra: pip install 'facegen[curate]'",
)


@needs_dlib
def test_dlib_finds_synthetic_faces(faces: list[Truth], tmp_path: Path) -> None:
    """The rendered head is face enough: boxes around, and landmarks near, the true ones."""
    models = named_models("dlib", None)
    assert "exclude commercial use" in models.terms and "dlib" in models.name
    found, distances = 0, []
    for face in faces:
        pixels = compose([face], [PLACE])
        for detection in loaded(models).detect(pixels, tmp_path):
            points = loaded(models).landmarks(pixels, tmp_path, detection.box)
            truth = face.landmarks + PLACE
            if np.abs(points.mean(axis=0) - truth.mean(axis=0)).max() < 20:
                found += 1
                distances.append(np.linalg.norm(points - truth, axis=1)[17:].mean() / np.ptp(truth[:, 0]))
    loaded.cache_clear()
    assert found >= 4 and np.median(distances) < 0.1


def test_models_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of: dlib, mediapipe"):
        named_models("retina", None)
    wanted = ModuleNotFoundError if importlib.util.find_spec("mediapipe") is None else ValueError
    with pytest.raises(wanted, match="mediapipe"):
        named_models("mediapipe", tmp_path / "nothing.task")


def test_mediapipe_points_mirror_each_other() -> None:
    """The mesh's vertices come in pairs; the table must take both of each."""
    assert len(VERTICES) == len(set(VERTICES)) == 68
    order = landmark_order_when_mirrored()
    middle = [number for number in range(68) if order[number] == number]
    assert [VERTICES[number] for number in middle] == [152, 168, 197, 195, 4, 2, 0, 17, 13, 14]


def test_ids_of_photographs(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "a.png", "sub/a.jpg"):
        (tmp_path / name).write_bytes(b"x")
    base, rows, ignored = list_photographs(tmp_path)
    assert [row["id"] for row in rows] == ["a", "a.png", "sub_a"] and ignored == 0
    with pytest.raises(Rejection, match="unreadable: "):
        read_photograph(rows[0], str(base))
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(Rejection, match=r"unreadable: .*a\.jpg"):
        read_photograph({**rows[0], "mtime": 0}, str(base))
