"""`facegen data search` as it is typed, and training on what it found."""

import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hydra.utils import instantiate
from PIL import Image

from facegen.cli import compose
from facegen.cli.commands import find
from facegen.curation.searching.sheet import contact_sheet
from facegen.data import table
from facegen.data.index import build_index
from facegen.data.reader import ImageReader
from facegen.data.sources import open_source
from tests.cli.conftest import Facegen
from tests.data.helpers import noise

COUNT = 6


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six faces with a yaw and a quality, called 00000 to 00005, and the working folder beside them."""
    root = tmp_path / "faces"
    root.mkdir()
    for face in range(COUNT):
        Image.fromarray(noise(16, face)).save(root / f"{face:05}.png")
    build_index(root, "folder")
    ids = [f"{face:05}" for face in range(COUNT)]
    columns = {"id": ids, "yaw_degrees": np.arange(COUNT) * 10.0, "quality": np.linspace(1, 0.5, COUNT)}
    table.set_columns(table.table_path(root), pa.table(columns))
    monkeypatch.chdir(tmp_path)
    return root


def test_a_table_a_sheet_and_a_recipe_that_trains(facegen: Facegen, faces: Path) -> None:
    asked = ("where=yaw_degrees > 15 and quality < 0.9", "rank=-quality", "count=3")
    status, out, _ = facegen("data", "search", "root=faces", *asked, "out=seen", "name=sideways")
    assert status == 0 and "3 of 6 faces. 4 fulfil the condition." in out
    assert [line.split()[1] for line in out.splitlines()[:3]] == ["00005", "00004", "00003"]
    rows = list(csv.DictReader(Path("seen/found.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == ["00005", "00004", "00003"]
    assert rows[0]["file"] == str(faces / "00005.png") and rows[0]["why"] == "quality 0.5, yaw_degrees 50"
    with Image.open("seen/sheet.png") as sheet:
        cell = np.asarray(sheet)[:128, :128]
    assert np.array_equal(cell[64, 64], np.asarray(Image.fromarray(noise(16, 5)).resize((128, 128), 1))[64, 64])
    words = shlex.split(out.splitlines()[-1])
    assert words[:2] == ["facegen", "train"]
    command = find(["train"])[0]
    assert command is not None
    cfg = compose.checked(command, [words[4], "resolution=16", "batch_size=3", "workers=0"], Path(words[3]))
    data = instantiate(cfg.data)
    assert sorted(data.recipe.rows["id"].to_pylist()) == ["00003", "00004", "00005"]
    batch = next(iter(data.train_dataloader()))
    assert batch.images.shape == (3, 3, 16, 16)


def test_ids_are_text(facegen: Facegen, refused: Callable[..., str], faces: Path) -> None:
    assert "face: 00003 has no" not in refused("data", "search", "root=faces", "id=00003")
    assert "the faces of" in refused("data", "search", "root=faces", "id=00003")  # without embeddings
    status, out, _ = facegen("data", "search", "root=faces", "where=id = '00003'")
    assert status == 0 and out.split()[0] == "00003"


@pytest.mark.parametrize(
    "words, answer",
    [
        (["root=faces"], "nothing to look for; give one of: where"),
        (["where=quality > 0"], "got neither root nor data"),
        (["root=faces", "where=qualty > 0"], "did you mean quality?"),
        (["root=faces", "where=Smiling"], "facegen data describe columns=[captions]"),
        (["root=faces", "where=quality > 3"], "none of 6 faces fulfils all of that"),
        (["root=faces", "image=nowhere.png"], "image: nowhere.png cannot be read (it does not exist)"),
        (["root=faces", "rank=quality", "out=x", "name=../y"], "name: got '../y'"),
        (["root=faces", "rank=quality", "out=x", "name=ffhq"], "data=ffhq is one of facegen's own"),
        (["root=faces", "rank=quality", "count=0"], "count: got 0"),
    ],
)
def test_mistakes(refused: Callable[..., str], faces: Path, words: list[str], answer: str) -> None:
    assert answer in refused("data", "search", *words)
    assert not Path("x").exists()


def test_a_broken_picture_does_not_spoil_the_sheet(faces: Path) -> None:
    (faces / "00002.png").write_bytes(b"no picture")
    reader = ImageReader.of(open_source(faces, use_table=False).rows)
    sheet = contact_sheet(reader, [str(face) for face in range(COUNT)], 3, 32)
    assert sheet.shape == (2 * (32 + 14), 96, 3)
    broken, whole = sheet[:32, 64:], sheet[:32, 32:64]
    assert len(np.unique(whole.reshape(-1, 3), axis=0)) > 100 > len(np.unique(broken.reshape(-1, 3), axis=0)) > 1
