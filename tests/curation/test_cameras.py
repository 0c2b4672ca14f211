"""Cameras from landmarks by the morphable fit, and the frames of the crops that they belong to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegen.curation.cameras import camera_stage
from facegen.curation.fitting.fitters import Fitting, fitting_of, loaded_fitter
from facegen.curation.frames import face_frames, realign_size
from facegen.data.poses import random_label
from facegen.geometry.alignment import eg3d_crop, quad_crop, similarity_crop
from facegen.geometry.projection import project
from facegen.morphable.procedural import ProceduralHead, random_person

SIZE = 512
CANVAS = SIZE + 400


def seen(points: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Pixels of a 512 picture at which a camera sees world points."""
    world, labels = torch.from_numpy(points).double(), torch.from_numpy(row[None]).double()
    return project(world, labels)[0].numpy() * SIZE


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between the directions of two cameras' positions."""
    a, b = (row[[3, 7, 11]] / np.linalg.norm(row[[3, 7, 11]]) for row in (first, second))
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


def mean_points(procedural: ProceduralHead) -> np.ndarray:
    return procedural.mean_shape[procedural.landmarks].astype(np.float64)


def solved(fitting: Fitting, *landmarks: np.ndarray) -> list[dict[str, Any]]:
    """The rows that the stage makes of faces in photographs of `CANVAS` pixels."""
    rows = [{"width": CANVAS, "height": CANVAS, "landmarks68": points.ravel().tolist()} for points in landmarks]
    return camera_stage(fitting, "a test").results(rows).to_pylist()


@pytest.mark.parametrize(("poses", "mean", "most"), [("ffhq", 1.5, 6), ("large", 1.5, 6)])
def test_people(procedural: ProceduralHead, fitting: Fitting, poses: str, mean: float, most: float) -> None:
    """True landmarks of random people through the crops: degrees that the camera is off."""
    truths, landmarks = [], []
    for number in range(40):
        rng = np.random.default_rng([7, number])
        person, row = random_person(procedural, rng), random_label(poses, rng)
        points = procedural.vertices(person.identity, person.expression)[procedural.landmarks]
        truths.append(row)
        landmarks.append(seen(points, row) + 200)
    found = solved(fitting, *landmarks)
    errors = [angle(np.array(row["camera"]), truth) for row, truth in zip(found, truths, strict=True)]
    assert np.mean(errors) < mean and max(errors) < most
    assert max(row["reprojection_error"] for row in found) < 3 and {row["camera_method"] for row in found} == {"a test"}


def test_model_landmarks_are_seen_where_the_picture_has_them(procedural: ProceduralHead, fitting: Fitting) -> None:
    """Through the camera before it was put on the sphere."""
    points = seen(mean_points(procedural), random_label("ffhq", np.random.default_rng(1))) + 200
    row = solved(fitting, points)[0]
    label = np.array(row["camera"], np.float64)
    label[[3, 7, 11]] *= row["camera_distance"] / 2.7
    expected = face_frames(points, (CANVAS, CANVAS)).to_eg3d(points)
    np.testing.assert_allclose(seen(np.reshape(row["model_landmarks"], (68, 3)), label)[27:55], expected[27:55], atol=2)


def test_a_bad_face_spoils_no_other(procedural: ProceduralHead, fitting: Fitting) -> None:
    points = seen(mean_points(procedural), random_label("ffhq", np.random.default_rng(1))) + 200
    good, nothing, unknown = solved(fitting, points, np.zeros((68, 2)), np.full((68, 2), np.nan))
    assert good["reason"] is None and len(good["camera"]) == 25
    assert nothing["reason"].startswith("no camera: ") and unknown["reason"].startswith("no camera: ")
    assert nothing["camera"] is None


def test_frames_are_those_of_the_crops(procedural: ProceduralHead) -> None:
    """Numbers without pixels agree with the crops that have them."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (500, 640, 3), dtype=np.uint8)
    points = seen(mean_points(procedural), random_label("ffhq", rng)) * 0.6 + [150, 90]
    frames = face_frames(points, (640, 500))
    side = realign_size(points, (640, 500))
    assert frames.realign.size == side == round(frames.realign.quad_size)
    realigned = quad_crop(image, points, side, 2 * side, "lpff_realign", minimum_side=0)
    crop = eg3d_crop(realigned.image, realigned.landmarks)
    np.testing.assert_allclose(frames.to_eg3d(points), crop.landmarks, atol=1e-9)
    small = similarity_crop(realigned.image, realigned.landmarks)
    np.testing.assert_allclose(frames.to_deep3d(points), small.landmarks, atol=1e-9)
    np.testing.assert_allclose(frames.to_photograph(frames.to_eg3d(points)), points, atol=1e-9)
    corners = frames.to_photograph(np.array([[0, 0], [512, 0]]))
    assert abs(np.linalg.norm(corners[1] - corners[0]) - frames.side()) < 1e-9
    assert realign_size(points * 20, (640 * 20, 500 * 20)) == 2400


def test_share_that_is_missing(procedural: ProceduralHead) -> None:
    points = seen(mean_points(procedural), random_label("ffhq", np.random.default_rng(2)))
    frames = face_frames(points + 300, (1112, 1112))
    assert frames.missing(1112, 1112) == 0
    left = frames.to_photograph(np.array([[0.0, 256.0]]))[0, 0]
    right = frames.to_photograph(np.array([[512.0, 256.0]]))[0, 0]
    assert abs(frames.missing(round((left + right) / 2), 1112) - 0.5) < 0.1


def test_fittings_are_known_by_their_files(fitting: Fitting, tmp_path: Path) -> None:
    assert fitting_of(fitting.model, photometric=False) == fitting != fitting_of(fitting.model)
    other = tmp_path / "head.safetensors"
    other.write_bytes(Path(fitting.model).read_bytes() + b"x")
    assert fitting_of(str(other), photometric=False).contents != fitting.contents
    assert loaded_fitter(fitting).model.name == "coarse head"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({"model": "nowhere.mat"}, "morphable: nowhere.mat does not exist"),
        ({"start": "nowhere"}, "start: nowhere does not exist"),
        ({"noise": 0}, "noise: got 0"),
    ],
)
def test_fittings_that_cannot_be(arguments: dict[str, Any], answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        fitting_of(**arguments)
