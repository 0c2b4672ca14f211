"""Columns for any source, with stages of our own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.curation.columns import Group, Making, Whole, add_columns
from facegen.curation.faces import vector
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import Rejection, Row, Stage
from facegen.data import table

COUNT = 5


def _mean(row: Row, base: str) -> Row:
    value = float(read_photograph(row, base).pixels.mean())
    if row["id"] == "3":
        raise Rejection("too plain")
    return {"level": value, "line": [value, float("nan")], "odd": float("nan")}


def level(making: Making) -> Stage:
    schema = pa.schema([("level", pa.float32()), ("line", vector(2)), ("odd", pa.float32())])
    return Stage("level", 1, _mean, ("id", *PLACE), schema, context={"base": str(making.base)})


def above(rows: pa.Table, making: Making) -> pa.Table:
    """Whether a face is brighter than the mean of all."""
    levels = rows["level"].to_numpy()
    bright = pa.array(levels > np.nanmean(levels), mask=np.isnan(levels))
    return pa.table({"id": rows["id"], "bright": bright})


GROUPS = [Group("level", level), Whole("bright", ("level",), above)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(COUNT):
        Image.fromarray(np.full((8, 8, 3), 40 * number, np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def test_groups_see_what_earlier_ones_made(root: Path) -> None:
    added = add_columns(root, GROUPS, workers=0)
    assert added.made == {"level": 4, "bright": 4} and added.computed == {"level": 5, "bright": 5}
    assert added.problems == {"level": [("3", "too plain")], "bright": []}
    rows = table.read(root / "faces.lance")
    assert rows["level"].to_pylist() == [0, 40, 80, None, 160]
    assert rows["bright"].to_pylist() == [False, False, True, None, True]


def test_repeated_it_commits_nothing_even_where_values_are_nan(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_columns(root, GROUPS, workers=0)
    monkeypatch.setattr(table, "set_columns", lambda *_: pytest.fail("a new version"))
    assert add_columns(root, GROUPS, workers=0).computed == {"level": 0, "bright": 5}


def test_what_changed_is_committed(root: Path) -> None:
    add_columns(root, GROUPS, workers=0)
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(root / "0.png")
    added = add_columns(root, GROUPS, workers=0)
    assert added.computed["level"] == 1
    assert table.read(root / "faces.lance", ["bright"])["bright"].to_pylist() == [True, False, False, None, True]


def test_what_is_missing_is_said(root: Path) -> None:
    with pytest.raises(ValueError, match=r"bright: the faces of .* have no level; add it first"):
        add_columns(root, GROUPS[1:], workers=0)
