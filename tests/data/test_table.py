"""Columns that are added to tables: what is written, what stays readable, and who else may write meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from facegen.data import table

IDS = [f"face{number}" for number in range(10)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A table of three fragments with columns of several kinds, of which `tags` takes two numbers of Lance's."""
    path = tmp_path / "faces.lance"
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(20), pa.float32()), 2)
    columns = {"id": IDS, "size": np.arange(10), "tags": [["x"]] * 10, "vector": vectors, "last": np.arange(10.0)}
    rows = pa.table(columns).replace_schema_metadata({"kept": "yes"})
    lance.write_dataset(
        rows, str(path), max_rows_per_file=4, data_storage_version=table.STORAGE_VERSION, enable_stable_row_ids=True
    )
    return path


def _data_files(place: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (place / "data").iterdir()}


def test_a_replaced_column_leaves_the_others_and_earlier_versions_alone(place: Path) -> None:
    before, files = table.read(place), _data_files(place)
    field = pa.field("tags", pa.list_(pa.float32(), 3), metadata={"model": "new"})
    values = pa.array([[1, 2, 3], [4, 5, 6]], field.type)
    given = pa.table([pa.array(["face7", "face2"]), values], pa.schema([pa.field("id", pa.string()), field]))
    assert table.set_columns(place, given) == 2
    after = table.read(place)
    assert after.drop_columns(["tags"]).equals(before.drop_columns(["tags"]), check_metadata=True)
    assert after.schema.field("tags").equals(field, check_metadata=True)
    expected = [None, None, [4, 5, 6], None, None, None, None, [1, 2, 3], None, None]
    assert after["tags"].to_pylist() == expected
    assert lance.dataset(str(place), version=1).to_table().equals(before)
    now = _data_files(place)
    assert files.items() <= now.items() and len(now) - len(files) == 3, "one small file for each fragment, nothing else"


def test_columns_are_replaced_again_and_again(place: Path) -> None:
    for turn in range(4):
        table.set_columns(place, pa.table({"id": IDS[::-1], "size": [turn] * 10, f"new{turn}": np.arange(10)}))
    rows = table.read(place)
    assert rows["size"].to_pylist() == [3] * 10 and rows["new1"].to_pylist() == list(range(9, -1, -1))
    assert rows["last"].to_pylist() == list(range(10)) and len(rows.column_names) == 9


def test_columns_that_came_last_are_replaced_alone_and_together(place: Path) -> None:
    """So that the highest of Lance's numbers of columns is of one that is dropped."""
    for value in range(3):
        table.set_columns(place, pa.table({"id": IDS, "a": [value] * 10}))
        table.set_columns(place, pa.table({"id": IDS, "b": [[value]] * 10, "c": [f"{value}"] * 10}))
    table.set_columns(place, pa.table({"id": IDS, "c": [0.5] * 10, "a": [7] * 10, "d": [[["x"]]] * 10}))
    rows = table.read(place)
    assert rows.column_names == ["id", "size", "tags", "vector", "last", "b", "c", "a", "d"]
    assert rows.slice(9).drop_columns(["tags", "vector"]).to_pylist() == [
        {"id": "face9", "size": 9, "last": 9.0, "b": [2], "c": 0.5, "a": 7, "d": [["x"]]}
    ]


def test_writers_that_add_columns_at_the_same_time_lose_nothing(place: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda rank: _add(rank, place), range(3)))
    names = table.schema(place).names
    assert {f"by{rank}_{turn}" for rank in range(3) for turn in range(3)} <= set(names) and names.count("shared") == 1
    assert len(list((place / "_versions").glob("*.manifest"))) == 1 + 9


def _add(rank: int, place: Path) -> None:
    for turn in range(3):
        table.set_columns(place, pa.table({"id": IDS, f"by{rank}_{turn}": np.arange(10), "shared": np.full(10, rank)}))


def test_a_table_without_rows_gets_columns(tmp_path: Path) -> None:
    path, ids = tmp_path / "faces.lance", pa.array([], pa.string())
    table.write(path, pa.table({"id": ids, "score": pa.array([], pa.float32())}))
    table.set_columns(path, pa.table({"id": ids, "score": ids, "more": ids}))
    assert table.schema(path) == pa.schema([(name, pa.string()) for name in ("id", "score", "more")])


def test_some_rows_in_the_order_asked_for(place: Path) -> None:
    table.set_columns(place, pa.table({"id": IDS, "name": [name.upper() for name in IDS]}))
    found = table.take(place, [9, 0, 4], ["name", "vector"])
    assert found.to_pydict() == {"name": ["FACE9", "FACE0", "FACE4"], "vector": [[18, 19], [0, 1], [8, 9]]}
    with pytest.raises(ValueError, match="no row 10; it has 0 to 9"):
        table.take(place, [1, 10], ["name"])
    with pytest.raises(ValueError, match="no column 'x'"):
        table.take(place, [1], ["x"])


def test_columns_are_replaced_in_any_order_and_number(tmp_path: Path) -> None:
    path = tmp_path / "faces.lance"
    table.write(path, pa.table({"id": ["a", "b"], "x": [1, 2]}))
    expected: dict[str, list] = {"x": [1, 2]}
    for round, names in enumerate([["y", "r"], ["z", "r"], ["r"], ["z"], ["r"], ["y", "r"], ["z", "y"], ["r", "new"]]):
        made = {name: [[round, 1.5], None] if name == "r" else [f"{name}{round}", "b"] for name in names}
        version = table.set_columns(path, pa.table({"id": ["a", "b"], **made}))
        expected |= made
        assert version == round + 2
        assert table.read(path).drop_columns("id").to_pydict() == expected
