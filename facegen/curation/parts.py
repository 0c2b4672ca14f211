"""What stages have computed, on disk: `.parts/STAGE-FINGERPRINT/CHUNK.parquet`, each written whole or not at all.

A run that was killed finds the chunks it had finished; a run with other settings finds its own folder empty.
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from tqdm import tqdm

from facegen.curation.engine import Engine
from facegen.curation.stages import REASON, Row, Stage
from facegen.data import table

FOLDER = ".parts"
_ROWS_AT_ONCE = 4096


class Chunk(NamedTuple):
    """Work that is handed to a process: rows, the stage to compute for them, and the file for the results."""

    stage: Stage
    rows: list[Row]
    path: str


class Completed(NamedTuple):
    """Columns and `reason` of a stage for all rows asked about, in their order, and how many were computed now."""

    columns: pa.Table
    computed: int


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make a folder, and keep other processes that ask for it waiting until the context ends.

    Half-written files of a process that was killed are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in out.rglob(".*.tmp"):
            left.unlink()
        yield


def spread(values: pa.Array | pa.ChunkedArray, rows: Sequence[int], count: int) -> pa.Array:
    """The values of some rows as a column of `count` rows, null elsewhere."""
    place = {row: number for number, row in enumerate(rows)}
    order = pa.array([place.get(row) for row in range(count)], pa.int64())
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.take(order)


def complete(
    stage: Stage, rows: pa.Table, out: Path, engine: Engine, is_lost: Callable[[str], bool] = lambda face: False
) -> Completed:
    """Results of a stage for rows with an `id` and the columns it reads: known ones from disk, the others computed.

    `is_lost` says of an id that a file which the stage wrote is gone, so that it is computed again; it is not asked
    about rows that the stage rejected.
    """
    folder = out / FOLDER / f"{stage.name}-{stage.fingerprint()}"
    folder.mkdir(parents=True, exist_ok=True)
    keys = _keys(stage, rows)
    stored = _read(stage, folder)
    known = dict(zip(stored["key"].to_pylist(), stored[REASON].to_pylist(), strict=True))
    todo = [
        row
        for row, (key, face) in enumerate(zip(keys, rows["id"].to_pylist(), strict=True))
        if key not in known or (known[key] is None and is_lost(face))
    ]
    _compute(stage, rows, todo, folder, engine)
    found = _read(stage, folder)
    place = {key: row for row, key in enumerate(found["key"].to_pylist())}
    order = pa.array([place[key] for key in keys], pa.int64())
    return Completed(found.drop_columns(["key"]).take(order).combine_chunks(), len(todo))


def _keys(stage: Stage, rows: pa.Table) -> list[str]:
    read = rows.select(stage.reads)
    starts = range(0, len(read), _ROWS_AT_ONCE)
    return [stage.key(row) for start in starts for row in read.slice(start, _ROWS_AT_ONCE).to_pylist()]


def _read(stage: Stage, folder: Path) -> pa.Table:
    """All parts of a folder; one that cannot be read is removed, so that its rows are computed again."""
    parts = [stage.part_schema().empty_table()]
    for path in sorted(folder.glob("*.parquet")):
        try:
            parts.append(table.import_parquet(path).select(stage.part_schema().names))
        except (ValueError, KeyError):
            path.unlink()
    return pa.concat_tables(parts)


def _compute(stage: Stage, rows: pa.Table, todo: list[int], folder: Path, engine: Engine) -> None:
    read = rows.select(list(dict.fromkeys(["id", *stage.reads])))
    chunks = []
    for start in range(0, len(todo), stage.chunk):
        some = read.take(todo[start : start + stage.chunk]).to_pylist()
        name = hashlib.sha256("\n".join(stage.key(row) for row in some).encode()).hexdigest()[:20]
        chunks.append(Chunk(stage, some, str(folder / f"{name}.parquet")))
    with tqdm(total=len(rows), initial=len(rows) - len(todo), desc=stage.name, unit="row", delay=1) as bar:
        for count in engine(work, chunks) if chunks else ():
            bar.update(count)


def work(chunk: Chunk) -> int:
    """Compute one chunk and write it; returns how many rows it has. Runs in whichever process the engine has."""
    table.export_parquet(chunk.stage.results(chunk.rows), Path(chunk.path))
    return len(chunk.rows)
