"""`facegen data repair` with a tiny generator: what it writes and says, and its answers to mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Facegen

FAST = ["steps=2", "average_samples=20", "perceptual=pyramid", "batch_size=2"]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three pictures of 20 pixels, larger than the generator's."""
    (tmp_path / "faces").mkdir()
    random = np.random.default_rng(0)
    for name in "abc":
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(tmp_path / "faces" / f"{name}.png")
    return tmp_path / "faces"


def test_pictures_are_repaired_shown_and_indexed(export: Path, faces: Path, tmp_path: Path, facegen: Facegen) -> None:
    out = tmp_path / "new"
    words = ["data", "repair", f"checkpoint={export}", f"root={faces}", f"out={out}", "ids=[a,c]", *FAST]
    words += [f"references={faces}", "references_count=3", "identity=pixels", "psi=[1,0.5]"]
    status, said, err = facegen(*words)
    assert status == 0, err
    assert "2 of 2 pictures repaired" in said and f"facegen data index root={out}" in said
    stored = json.loads((out / "repair.json").read_text())
    assert [entry["id"] for entry in stored["faces"]] == ["a", "c"]
    assert all({"psi", "distance", "remoteness"} <= entry.keys() for entry in stored["faces"])
    assert stored["settings"]["identity"]["extractor"] == "pixels"
    with Image.open(out / "a.png") as picture, Image.open(tmp_path / "new.png") as sheet:
        assert picture.size == (16, 16) and sheet.size == (32, 32)
        assert np.array_equal(np.array(sheet)[16:, :16], np.array(picture))
    assert facegen("data", "index", f"root={out}")[0] == 0
    before = (out / "a.png").stat().st_mtime_ns
    assert facegen(*words)[1] == said and (out / "a.png").stat().st_mtime_ns == before


def test_cameras_are_needed_and_kept(eg3d_export: Path, faces: Path, tmp_path: Path, refused: Callable) -> None:
    words = ["data", "repair", f"checkpoint={eg3d_export}", f"root={faces}", f"out={tmp_path / 'new'}", *FAST]
    assert "has no labels" in refused(*words, "identity=pixels")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["psi=[1.5]"], "psi: got [1.5], expected numbers from 0"),
        (["layers=[middle]"], "layers: got ['middle'], expected some of: all, coarse, fine"),
        (["identity=null"], "nobody to choose"),
        (["identity=nobody"], "extractor: got 'nobody'"),
        (["space=z"], "space: got 'z'"),
        (["references_count=1"], "references_count: got 1, expected at least 2"),
        (["references=ABSENT"], "ABSENT does not exist"),
        (["root=ABSENT"], "ABSENT does not exist"),
        (["where=quality < 0.3"], "has no table that is up to date"),
        (["out=FACES"], "holds other files"),
        (["taste=FACES"], "faces.lance does not exist; make it"),
        (["enough=2"], "enough: got 2, expected 0 to 1"),
        (["steps=many"], "steps: got 'many'"),
        (["max_distance=near"], "max_distance: got 'near', expected a number"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    words: list[str], answer: str, export: Path, faces: Path, tmp_path: Path, refused: Callable
) -> None:
    given = [word.replace("FACES", str(faces)) for word in words]
    line = refused("data", "repair", f"checkpoint={export}", f"root={faces}", f"out={tmp_path / 'new'}", *FAST, *given)
    assert answer in line, line
    assert not (tmp_path / "new").exists()
