"""A small head, synthetic faces of known cameras, and a folder of photographs with everything that can be wrong."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image

from facegen.curation.fitting.fitters import Fitting, fitting_of
from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.formats import ModelFile, write_model
from facegen.morphable.model import Basis
from facegen.morphable.procedural import ProceduralHead, load_head
from facegen.morphable.procedural_model import procedural_model
from tests.curation.sidecar import write_sidecar

SIDE, DETAIL = 128, 0.3
CANVAS = (300, 260)  # width and height of the photographs
PLACE = (80, 60)  # where the upper left corner of the face's picture lies in them


class Truth(NamedTuple):
    """Pixels, landmarks and camera of a synthetic face."""

    image: np.ndarray
    landmarks: np.ndarray
    label: np.ndarray


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the coarse head is kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def procedural(cache: Path) -> ProceduralHead:
    """A coarse procedural head."""
    return load_head(cache, DETAIL)


@pytest.fixture(scope="session")
def model_file(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The morphable model of that head."""
    return write_coarse_model(cache, tmp_path_factory.mktemp("model") / "head.safetensors")


def write_coarse_model(cache: Path, path: Path) -> Path:
    """A file of the coarse procedural model."""
    model = procedural_model(cache, DETAIL)
    given = {name: getattr(model, name) for name in Basis._fields if name not in ("part_names", "recentre")}
    write_model(path, ModelFile(Basis(**given, part_names=model.part_names, recentre=False), "coarse head", ""))
    return path


@pytest.fixture(scope="session")
def fitting(model_file: Path) -> Fitting:
    """Of that model to landmarks."""
    return fitting_of(str(model_file), photometric=False)


@pytest.fixture(scope="session")
def faces(procedural: ProceduralHead) -> list[Truth]:
    """Six synthetic faces."""
    made = [make_face(procedural, Settings(3, SIDE, "ffhq", DETAIL), number) for number in range(6)]
    return [Truth(face.picture.image, face.picture.landmarks.astype(np.float64), face.label) for face in made]


def compose(faces: list[Truth], places: list[tuple[int, int]], size: tuple[int, int] = CANVAS) -> np.ndarray:
    """A photograph with faces at some places before a grey wall."""
    canvas = np.full((size[1], size[0], 3), 120, np.uint8)
    for face, (left, upper) in zip(faces, places, strict=True):
        canvas[upper : upper + SIDE, left : left + SIDE] = face.image
    return canvas


def spoiled(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks with the mouth between the eyes."""
    return np.concatenate([landmarks[:48], landmarks[36:48], landmarks[39:47]])


def save(path: Path, pixels: np.ndarray, landmarks: list[np.ndarray]) -> None:
    Image.fromarray(pixels).save(path)
    write_sidecar(path, landmarks)


def photograph(path: Path, *faces: Truth) -> None:
    """Write a photograph of one or two faces with its sidecar."""
    places: list[tuple[int, int]] = [PLACE] if len(faces) == 1 else [(10, PLACE[1]), (160, PLACE[1])]
    pixels = compose(list(faces), places)
    save(path, pixels, [face.landmarks + place for face, place in zip(faces, places, strict=True)])


@pytest.fixture(scope="session")
def photographs(faces: list[Truth], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good photographs, and one for every reason to leave one out."""
    root = tmp_path_factory.mktemp("photographs")
    (root / "more").mkdir()
    photograph(root / "a.png", faces[0])
    photograph(root / "b.png", faces[1])
    photograph(root / "more" / "two.png", faces[2], faces[3])
    photograph(root / "zcopy.png", faces[0])  # the same bytes as a.png
    photograph(root / "zjpeg.jpg", faces[1])  # the same picture as b.png, compressed
    Image.fromarray(compose([], [])).save(root / "empty.png")
    (root / "broken.jpg").write_bytes(b"\xff\xd8 half a photograph")
    (root / "notes.txt").write_text("no photograph")
    whole, points = compose([faces[4]], [PLACE]), faces[4].landmarks + PLACE
    save(root / "blurry.png", cv2.GaussianBlur(whole, (0, 0), 3), [points])
    save(root / "dark.png", (compose([faces[5]], [PLACE]) // 12).astype(np.uint8), [faces[5].landmarks + PLACE])
    save(root / "small.png", np.asarray(Image.fromarray(whole).resize((75, 65))), [points / 4])
    save(root / "odd.png", whole, [spoiled(points)])
    cut = PLACE[0] + 34
    save(root / "cut.png", np.ascontiguousarray(whole[:, cut:]), [points - (cut, 0)])
    return root
