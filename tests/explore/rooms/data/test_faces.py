"""Columns of faces as the room reads them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from facegen.data import Recipe, table
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.facts import facts
from facegen.explore.rooms.data.files import inside

Make = Callable[..., Path]


def test_numbers_are_read_with_nan_for_unknown(make_faces: Make) -> None:
    faces = Faces(Recipe(make_faces()))
    quality = faces.numbers("quality")
    assert np.isnan(quality[0])
    np.testing.assert_allclose(quality[1:], np.arange(1, 24) / 24, rtol=1e-6)
    assert {"yaw_degrees", "quality", "duplicate_group"} <= set(faces.number_columns())
    assert not {"id", "embedding", "flags", "parsing", "mtime"} & set(faces.number_columns())
    with pytest.raises(ValueError, match="got 'embedding', expected one of numbers"):
        faces.numbers("embedding")


def test_a_part_of_a_source_has_its_own_values(make_faces: Make) -> None:
    root = make_faces()
    faces = Faces(Recipe({"root": root, "where": "quality > 0.5"}))
    assert len(faces) == 11
    np.testing.assert_allclose(faces.numbers("quality"), np.arange(13, 24) / 24, rtol=1e-6)
    assert faces.place(0).id == "img013"
    assert faces.values(0)["quality"] == pytest.approx(13 / 24)


def test_sources_with_other_columns_stand_side_by_side(make_faces: Make) -> None:
    first, second = make_faces("first"), make_faces("second", count=5)
    table.set_columns(table.table_path(second), pa.table({"id": ["img003"], "taste": [0.75]}))
    faces = Faces(Recipe([{"root": first, "where": "quality > 0.9", "name": "a/b"}, second]))
    assert faces.identify(np.array([0, 2])) == ["a/b/img022", "second/img000"]
    assert [faces.place(row).id for row in (0, 1, 2, 6)] == ["img022", "img023", "img000", "img004"]
    assert np.flatnonzero(faces.numbers("taste") == 0.75).tolist() == [5]
    assert np.isnan(faces.numbers("taste")).sum() == 6
    assert "taste" in faces.values(5) and "taste" not in faces.values(0)


def test_columns_that_come_while_the_page_is_open_are_seen(make_faces: Make) -> None:
    root = make_faces()
    faces = Faces(Recipe(root))
    before = faces.numbers("quality")
    assert faces.numbers("quality") is before  # kept, not read again
    ids = [f"img{number:03d}" for number in range(24)]
    table.set_columns(table.table_path(root), pa.table({"id": ids[::-1], "quality": np.arange(24.0)}))
    assert faces.numbers("quality").tolist() == list(range(23, -1, -1))


def test_a_folder_without_a_table_has_what_it_is(make_faces: Make, tmp_path: Path) -> None:
    root = make_faces()
    for path in root.glob("img01*"):
        path.rename(path.with_name(f"new{path.name}"))
    faces = Faces(Recipe(root))
    assert "images gone" in faces.outdated()[0]
    assert "quality" not in faces.columns()
    assert len(faces.numbers("size")) == 24
    assert faces.values(0)["id"] == "img000"


def test_only_files_of_the_source_are_inside(make_faces: Make) -> None:
    source = Recipe(root := make_faces()).sources[0]
    assert inside(source, str(root / ".described/parsing/img000.png"))
    assert not inside(source, str(root / "../other/img000.png"))
    assert not inside(source, "/etc/passwd")
    assert not inside(source, f"{root}2/img000.png")


def test_facts_are_short() -> None:
    said = dict(facts({"a": 1 / 3, "b": [0.5] * 136, "c": ["hat", "grey"], "d": "x" * 500, "e": True}))
    assert said["a"] == "0.333333"
    assert said["b"] == "136 numbers"
    assert said["c"] == "hat; grey"
    assert len(said["d"]) < 200
    assert said["e"] == "True"
