"""`facegen data overlay` as it is typed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data.synthetic import synthesize
from facegen.geometry.overlay import LANDMARKS, MODEL
from tests.cli.conftest import Facegen
from tests.data.helpers import camera, noise


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three synthetic faces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield synthesize(tmp_path_factory.mktemp("made") / "faces", 3, 64, workers=0, detail=0.3)


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures, of which the last has no label and the first one in pixels; the working folder beside them."""
    root = tmp_path / "labelled"
    root.mkdir()
    for number in range(6):
        Image.fromarray(noise(16, number)).save(root / f"{number}.png")
    labels = [[f"{number}.png", camera(number)] for number in range(5)]
    labels[0][1] = [*camera(0)[:16], 68, 0, 8, 0, 68, 8, 0, 0, 1]
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    monkeypatch.chdir(tmp_path)
    return root


def colored(path: Path, color: tuple[int, int, int]) -> np.ndarray:
    """Coordinates of the pixels of one colour."""
    return np.argwhere((np.asarray(Image.open(path)) == color).all(-1))


def test_landmarks_of_table_and_model_lie_on_each_other(facegen: Facegen, faces: Path, tmp_path: Path) -> None:
    status, out, _ = facegen("data", "overlay", f"root={faces}", f"outdir={tmp_path / 'look'}", "count=2", "size=256")
    assert status == 0 and "2 pictures and grid.png (2x1)" in out
    found = sorted(path.name for path in (tmp_path / "look").iterdir())
    assert found == ["grid.png", "images_00000_00000000.png", "images_00000_00000002.png"]
    assert Image.open(tmp_path / "look" / "grid.png").size == (512, 256)
    for name in found[1:]:
        rings, dots = colored(tmp_path / "look" / name, LANDMARKS), colored(tmp_path / "look" / name, MODEL)
        assert len(rings) > 100 and len(dots) > 50
        distances = np.linalg.norm(dots[:, None] - rings, axis=-1).min(axis=1)
        assert np.median(distances) < 3


def test_any_labelled_folder(facegen: Facegen, labelled: Path) -> None:
    status, out, _ = facegen("data", "overlay", "root=labelled", "size=64", "grid=2x2")
    assert status == 0 and "5 pictures and grid.png (2x2) in overlay" in out
    assert Image.open("overlay/grid.png").size == (128, 128)
    status, out, _ = facegen("data", "overlay", "root=labelled", "ids=[3]", "outdir=one")
    assert status == 0 and sorted(path.name for path in Path("one").iterdir()) == ["3.png", "grid.png"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["root=nowhere"], "nowhere does not exist"),
        (["root=labelled", "count=0"], "expected at least 1"),
        (["root=labelled", "size=9"], "64 to 4096"),
        (["root=labelled", "grid=big"], "expected COLUMNSxROWS"),
        (["root=labelled", "ids=[5]"], "no face '5' with a camera"),
        (["root=labelled", "ids=[]"], "expected a list"),
        (["root=plain"], "has no camera labels"),
        ([], "root is missing"),
    ],
)
def test_mistakes(refused: Callable[..., str], labelled: Path, words: list[str], answer: str) -> None:
    plain = labelled.parent / "plain"
    plain.mkdir()
    Image.fromarray(noise(16, 0)).save(plain / "0.png")
    assert answer in refused("data", "overlay", *words)
    assert not Path("overlay").exists()
