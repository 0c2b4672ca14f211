"""`faces.lance`: the table of a source, made from its files and labels."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from facegen.data import table
from facegen.data.headers import ImageError, ImageHeader
from facegen.data.inspection import probe
from facegen.data.problems import Problem, summarise
from facegen.data.reader import ImageReader
from facegen.data.sources import Source, open_source
from facegen.data.stamps import INDEX_COLUMNS, LABEL_COLUMNS, known_whole, stored_shipped, unchanged, with_stamp

HEADER_THREADS = 8  # reading headers waits for the disk more than it computes
_FROM_HEADER = ("width", "height", "mode", "bits", "orientation")


class Indexed(NamedTuple):
    """The table that was written, its version, how many images were read again, what stood in the way, the source."""

    path: Path
    rows: pa.Table
    version: int | None  # None: nothing had changed
    read: int
    problems: list[Problem]
    source: Source


def build_index(root: str | Path, layout: str | None = None) -> Indexed:
    """Write or update the table of a source, with everything that its dataset ships beside the images.

    Images that have not changed since the last run are not read again and keep the columns of curation stages;
    changed images lose them, because they were computed from other pixels. Raises ValueError for duplicate ids.
    """
    source = open_source(root, layout, use_table=False)
    path = source.root
    if duplicates := [problem for problem in source.problems if problem.kind == "duplicate id"]:
        raise ValueError(f"{path}: {summarise(duplicates)}. Rename them: an id is the key of the table")
    place = table.table_path(path)
    old = table.read(place) if table.exists(place) else None
    same = _same(old, source.rows)
    if old is not None and same.all() and len(old) == len(same) and known_whole(old, source.stamp):
        return Indexed(place, old, None, 0, list(source.problems), source)
    annotations = source.layout.annotate(source.place, source.rows["id"].to_pylist())
    headers, problems = read_headers(ImageReader.of(source.rows), np.flatnonzero(~same).tolist())
    rows = _with_headers(source.rows, headers, old, same)
    for name, column in annotations.columns.items():
        rows = rows.append_column(name, column)
    base = path if path.is_dir() else path.parent
    uris = [os.path.relpath(uri, base) for uri in rows["uri"].to_pylist()]
    rows = rows.set_column(rows.column_names.index("uri"), "uri", pa.array(uris, pa.string()))
    found = [*source.problems, *annotations.problems, *problems]
    shipped = [name for name in rows.column_names if name not in INDEX_COLUMNS]
    rows = with_stamp(_with_stages(rows, old, same), source.stamp, shipped, all(map(_foreign, annotations.problems)))
    if old is not None and rows.equals(old.select(rows.column_names), check_metadata=True):
        return Indexed(place, rows, None, 0, found, source)
    return Indexed(place, rows, table.write(place, rows), len(headers), found, source)


def _foreign(problem: Problem) -> bool:
    """A file that no table is made from: no reason to read everything again the next time."""
    return problem.kind == "unexpected file"


def read_headers(reader: ImageReader, rows: Sequence[int]) -> tuple[dict[int, ImageHeader | None], list[Problem]]:
    """Headers of the given rows in parallel, None where one cannot be read, and those problems."""

    def one(row: int) -> ImageHeader | ImageError:
        try:
            return probe(reader, row)
        except ImageError as error:
            return error

    headers: dict[int, ImageHeader | None] = {}
    problems = []
    with ThreadPoolExecutor(HEADER_THREADS) as pool:
        found = tqdm(pool.map(one, rows), "reading headers", len(rows), unit="image", delay=1, leave=False)
        for row, header in zip(rows, found, strict=True):
            headers[row] = header if isinstance(header, ImageHeader) else None
            if isinstance(header, ImageError):
                where = reader.where(row)
                problems.append(Problem("unreadable", where, str(header).removeprefix(f"{where} ")))
    return headers, problems


def _same(old: pa.Table | None, rows: pa.Table) -> np.ndarray:
    """Images whose header the old table knows; unreadable ones are read again, so that they are reported again."""
    if old is None or not set(INDEX_COLUMNS) <= set(old.column_names):
        return np.zeros(len(rows), dtype=bool)
    return unchanged(old.filter(old["width"].is_valid()), rows)


def _with_headers(
    rows: pa.Table, headers: dict[int, ImageHeader | None], old: pa.Table | None, same: np.ndarray
) -> pa.Table:
    """Columns of the headers: those just read, the rest from the old table."""
    known = {}
    if old is not None and same.any():
        columns = [old[name].to_pylist() for name in ("id", *_FROM_HEADER)]
        known = {name: values for name, *values in zip(*columns, strict=True)}
    values = []
    for row, name in enumerate(rows["id"].to_pylist()):
        header = headers.get(row)
        fresh = [None] * 5 if header is None else [getattr(header, field) for field in _FROM_HEADER]
        values.append(known[name] if same[row] else fresh)
    for number, field in enumerate(_FROM_HEADER):
        rows = rows.append_column(field, pa.array([value[number] for value in values], INDEX_COLUMNS[field]))
    return rows


def _with_stages(rows: pa.Table, old: pa.Table | None, same: np.ndarray) -> pa.Table:
    """Columns that curation stages added to the old table, for the images that are still the same."""
    if old is None:
        return rows
    own = {*INDEX_COLUMNS, *LABEL_COLUMNS, *stored_shipped(old), *rows.column_names}
    stages = [name for name in old.column_names if name not in own]
    if not stages:
        return rows
    kept = set(rows["id"].filter(pa.array(same)).to_pylist())
    keep = pa.array([name in kept for name in old["id"].to_pylist()])
    return table.join_columns(rows, old.select(["id", *stages]).filter(keep))
