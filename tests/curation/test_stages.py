"""What is known of a stage, and the engines that compute it."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from facegen.curation.engine import open_engine
from facegen.curation.parts import complete, locked
from facegen.curation.stages import Rejection, Row, Stage

SCHEMA = pa.schema([("half", pa.float64())])


def half(row: Row, by: int = 2, log: str = "") -> Row:
    if log:
        with Path(log).open("a") as file:
            file.write(f"{row['value']}\n")
    if row["value"] < 0:
        raise Rejection("negative", str(row["value"]))
    return {"half": row["value"] / by}


def gone(row: Row) -> Row:
    raise OSError("no space left")


def killed(row: Row) -> Row:
    os._exit(9)


def stage(compute: Any = half, version: int = 1, log: str = "", **settings: Any) -> Stage:
    context = {"log": log} if log else {}
    return Stage("half", version, compute, ("value",), SCHEMA, settings, context, chunk=2)


def rows(*values: int) -> pa.Table:
    return pa.table({"id": [f"r{n}" for n in range(len(values))], "value": pa.array(values, pa.int64())})


def test_fingerprint_says_what_decides() -> None:
    names = [stage(), stage(version=2), stage(by=3), stage(by=4), Stage("other", 1, half, ("value",), SCHEMA)]
    assert len({item.fingerprint() for item in names}) == 5
    assert stage(log="elsewhere").fingerprint() == stage().fingerprint()
    assert stage().key({"id": "a", "value": 1}) == stage().key({"id": "b", "value": 1}) != stage().key({"value": 2})


def test_failures_are_reasons() -> None:
    found = stage(by=0).results([{"value": -1}, {"value": 1}]).to_pylist()
    assert [row["reason"] for row in found] == ["negative: -1", "half failed: division by zero"]
    assert [row["half"] for row in found] == [None, None]


def test_a_broken_machine_is_none() -> None:
    with pytest.raises(OSError, match="no space"):
        stage(gone).results([{"value": 1}])


def test_known_rows_are_not_computed_again(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with open_engine("pool", 0) as engine:
        first = complete(stage(log=str(log)), rows(2, 4, -1, 8, 10), tmp_path, engine)
        assert first.computed == 5 and first.columns["half"].to_pylist() == [1, 2, None, 4, 5]
        assert first.columns["reason"].to_pylist() == [None, None, "negative: -1", None, None]
        # another order, a new row, the same row twice
        second = complete(stage(log=str(log)), rows(10, 12, 2, 2), tmp_path, engine)
        assert second.computed == 1 and second.columns["half"].to_pylist() == [5, 6, 1, 1]
        lost = complete(stage(log=str(log)), rows(10, 12), tmp_path, engine, lambda face: face == "r0")
        assert lost.computed == 1 and lost.columns["half"].to_pylist() == [5, 6]
    assert sorted(map(int, log.read_text().split())) == [-1, 2, 4, 8, 10, 10, 12]


def test_damaged_parts_are_made_again(tmp_path: Path) -> None:
    with open_engine("pool", 0) as engine:
        complete(stage(), rows(2, 4, 6), tmp_path, engine)
        folder = next((tmp_path / ".parts").iterdir())
        sorted(folder.glob("*.parquet"))[0].write_bytes(b"half a file")
        again = complete(stage(), rows(2, 4, 6), tmp_path, engine)
    assert again.columns["half"].to_pylist() == [1, 2, 3] and again.computed in (1, 2)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "deep" / "down" / ".x.png.abc.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a picture")
    with locked(tmp_path):
        assert not left.exists()


def together(rows: list[Row], log: str) -> list[Row]:
    with Path(log).open("a") as file:
        file.write(f"{len(rows)}\n")
    return [half(row) for row in rows]


def test_a_bad_row_spoils_no_other_of_its_batch(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    batched = Stage("half", 1, together, ("value",), SCHEMA, context={"log": str(log)}, together=True)
    good = batched.results([{"value": 2}, {"value": 4}]).to_pylist()
    assert [row["half"] for row in good] == [1, 2] and log.read_text().split() == ["2"]
    found = batched.results([{"value": 2}, {"value": -1}, {"value": 4}]).to_pylist()
    assert [row["half"] for row in found] == [1, None, 2] and found[1]["reason"] == "negative: -1"


def test_rejected_rows_have_lost_nothing(tmp_path: Path) -> None:
    with open_engine("pool", 0) as engine:
        complete(stage(), rows(-1, 2), tmp_path, engine)
        assert complete(stage(), rows(-1, 2), tmp_path, engine, lambda face: True).computed == 1


def test_killed_worker_is_told(tmp_path: Path) -> None:
    with open_engine("pool", 1) as engine, pytest.raises(OSError, match="was killed"):
        complete(stage(killed), rows(1), tmp_path, engine)
