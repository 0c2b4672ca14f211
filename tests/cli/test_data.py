"""`facegen data index` and `facegen data validate` as they are typed, and data=folder."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from PIL import Image

from facegen.cli import compose
from facegen.cli.commands import Command
from facegen.data import FaceDataModule
from tests.cli.conftest import Facegen


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five 16x16 pictures, and the working folder beside them."""
    root = tmp_path / "photographs"
    root.mkdir()
    for seed in range(5):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{seed}.png")
    monkeypatch.chdir(tmp_path)
    return root


def test_a_clean_folder(facegen: Facegen, photographs: Path) -> None:
    status, out, _ = facegen("data", "validate", "root=photographs")
    assert status == 0 and "images                5  16x16 (5)" in out and "none" in out
    report = json.loads(Path("photographs-validation.json").read_text())
    assert report["clean"] is True and report["sources"][0]["images"] == 5


def test_problems_end_with_status_1(facegen: Facegen, photographs: Path, capsys: pytest.CaptureFixture) -> None:
    (photographs / "5.png").write_bytes((photographs / "0.png").read_bytes()[:300])
    with pytest.raises(SystemExit) as ended:
        facegen("data", "validate", "root=photographs", "out=report.json")
    assert ended.value.code == 1
    out = capsys.readouterr().out
    assert "corrupt" in out and "5.png: corrupt or truncated PNG" in out
    assert json.loads(Path("report.json").read_text())["sources"][0]["counts"] == {"corrupt": 1}


def test_several_sources_make_one_report(facegen: Facegen, photographs: Path, tmp_path: Path) -> None:
    status, _, _ = facegen("data", "validate", f"root=[photographs,{photographs}]", "resolution=16")
    assert status == 0
    assert len(json.loads(Path("photographs+photographs-validation.json").read_text())["sources"]) == 2


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["root=nowhere"], "nowhere does not exist"),
        (["root=[]"], "expected a folder"),
        (["root=photographs", "resolution=big"], "expected a positive whole number"),
        (["root=photographs", "labels=3"], "expected true, false or null"),
        (["root=photographs", "workers=-1"], "expected 0 or more"),
        ([], "root is missing"),
    ],
)
def test_mistakes(refused: Callable[..., str], photographs: Path, words: list[str], answer: str) -> None:
    assert answer in refused("data", "validate", *words)


def test_index(facegen: Facegen, photographs: Path) -> None:
    status, out, _ = facegen("data", "index", "root=photographs")
    assert status == 0 and "5 images; version 1, 5 headers read" in out
    assert "nothing had changed" in facegen("data", "index", "root=[photographs]")[1]
    (photographs / "bad.png").write_bytes(b"")
    assert "1 unreadable" in facegen("data", "index", "root=photographs")[1]


def test_index_needs_a_writable_folder(refused: Callable[..., str], photographs: Path) -> None:
    photographs.chmod(0o555)
    assert "permission denied" in refused("data", "index", "root=photographs")
    photographs.chmod(0o755)


@pytest.mark.parametrize("group", ["folder", "zip", "faces"])
def test_data_groups_take_what_people_type(group: str, photographs: Path) -> None:
    words = [f"data={group}", f"data.root=[{photographs},photographs]", "data.resolution=8", "data.filter=box"]
    cfg = compose.checked(Command("evaluate", "", "", "evaluate"), ["checkpoint=none", *words])
    data = instantiate(cfg.data)
    assert isinstance(data, FaceDataModule)
    assert (data.num_images, data.resolution, data.recipe.filter) == (10, 8, "box")
    assert data.recipe.mirror is (group == "faces")
