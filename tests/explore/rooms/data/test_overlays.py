"""What is drawn on large pictures of faces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.data import Recipe, table
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.overlays import LAYERS, layers_of, overlaid
from facegen.explore.rooms.data.pictures import LARGE, thumbnail

Make = Callable[..., Path]
SCALE = LARGE // 32


def drawn(faces: Faces, *layers: str) -> np.ndarray:
    return np.asarray(overlaid(faces, 3, layers)).astype(int)


def test_layers_are_those_of_which_a_face_has_something(make_faces: Make) -> None:
    root = make_faces()
    table.set_columns(table.table_path(root), pa.table({"id": ["img001"], "sketch": ["img002.png"]}))
    faces = Faces(Recipe(root))
    assert layers_of(faces, 0) == ["parsing", "landmarks68", "camera"]
    assert layers_of(faces, 1) == ["parsing", "sketch", "landmarks68", "camera"]


def test_layers_are_drawn_where_they_belong(make_faces: Make) -> None:
    faces = Faces(Recipe(make_faces()))
    plain = drawn(faces)
    assert plain.shape == (LARGE, LARGE, 3)
    changed = (drawn(faces, "parsing") != plain).any(-1)
    assert changed[:, : LARGE // 2].mean() > 0.95 and not changed[:, LARGE // 2 :].any()
    changed = np.argwhere((drawn(faces, "landmarks68") != plain).any(-1))
    assert np.abs(changed - [16 * SCALE, 8 * SCALE]).max() <= 4
    axes = (drawn(faces, "camera") != plain).any(-1)
    assert 0 < axes.mean() < 0.2
    both = drawn(faces, "camera", "landmarks68")
    assert (both[16 * SCALE, 8 * SCALE] == [255, 230, 0]).all()


def test_a_table_cannot_name_files_outside_of_its_folder(make_faces: Make, tmp_path: Path) -> None:
    root = make_faces()
    Image.new("L", (32, 32), 5).save(tmp_path / "secret.png")
    for path in ("../secret.png", str(tmp_path / "secret.png")):
        table.set_columns(table.table_path(root), pa.table({"id": ["img003"], "parsing": [path]}))
        refused = drawn(Faces(Recipe(root)), "parsing")
        assert (refused[-1, -1] == [206, 212, 218]).all()  # the grey of a picture that is not there


def test_pictures_that_cannot_be_read_are_grey_and_say_why(make_faces: Make) -> None:
    root = make_faces()
    faces = Faces(Recipe(root))
    (root / "img003.png").write_bytes(b"\x89PNG broken")
    (root / "img004.png").unlink()
    for row in (3, 4):
        small = np.asarray(thumbnail(faces, row))
        assert (small[-1, -1] == [206, 212, 218]).all()
        assert len(np.unique(small.reshape(-1, 3), axis=0)) > 5  # and letters
    assert (np.asarray(overlaid(faces, 4, LAYERS))[-1, -1] == [206, 212, 218]).all()


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_masks_that_are_none_are_said(make_faces: Make, mode: str) -> None:
    root = make_faces()
    Image.new(mode, (32, 32)).save(root / ".described/parsing/img003.png")
    assert (drawn(Faces(Recipe(root)), "parsing")[-1, -1] == [206, 212, 218]).all()
