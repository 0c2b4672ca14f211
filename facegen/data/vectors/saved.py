"""Indexes kept beside their table, in `.NAME.vectors/COLUMN-STAMP`: made when first asked for and after changes."""

import fcntl
import os
import shutil
from pathlib import Path

import numpy as np

from facegen.checkpoint import cache_folder
from facegen.data import table
from facegen.data.vectors.cells import make_cells
from facegen.data.vectors.columns import read_vectors, vector_size
from facegen.data.vectors.index import Index, sorted_by_cell

_VERSION = 1  # raised when cells are made otherwise
_SMALL = ("rows", "nearest", "centres")
_ROWS_AT_ONCE = 8192
_UNFINISHED = ".making-"


def open_index(place: Path, column: str = "embedding") -> Index:
    """The index of a column of vectors of a table, made if there is none of what the column holds now.

    It stays in mapped files, of which a search reads a few percent; opening it takes milliseconds. Where the table's
    folder is read-only, it lies in the cache. Raises ValueError where the table has no such column, or one that holds
    something else.
    """
    vector_size(place, column)  # says what is wrong with a column that holds no vectors
    name = f"{column}-{_VERSION}-{table.content_stamp(place, column)}"
    folder = _home(place) / name
    if not folder.is_dir():
        _make(place, column, folder)
    return Index(**{part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("matrix", *_SMALL)})


def _home(place: Path) -> Path:
    """The folder of a table's indexes."""
    if place.parent.stat().st_mode & 0o222 and os.access(place.parent, os.W_OK):
        return place.with_name(f".{place.stem}.vectors")
    return cache_folder() / "vectors" / str(place.resolve()).strip("/").replace("/", "%")


def _make(place: Path, column: str, folder: Path) -> None:
    """Write an index whole or not at all, one process at a time, and remove those of what the column held before."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():  # made by another process meanwhile
            return
        unfinished = folder.with_name(f"{_UNFINISHED}{folder.name}")
        for left in folder.parent.glob(f"{_UNFINISHED}*"):  # by a process that was killed
            shutil.rmtree(left)
        unfinished.mkdir()
        _write(place, column, unfinished)
        unfinished.rename(folder)
        for old in folder.parent.glob(f"{column}-*"):
            if old.name != folder.name:
                shutil.rmtree(old, ignore_errors=True)


def _write(place: Path, column: str, folder: Path) -> None:
    vectors = read_vectors(place, column)
    cells = make_cells(vectors.matrix)
    order = sorted_by_cell(cells)
    matrix = np.lib.format.open_memmap(folder / "matrix.npy", "w+", np.float32, vectors.matrix.shape)
    for start in range(0, len(order), _ROWS_AT_ONCE):
        matrix[start : start + _ROWS_AT_ONCE] = vectors.matrix[order[start : start + _ROWS_AT_ONCE]]
    matrix.flush()
    for name, values in zip(_SMALL, (vectors.rows[order], cells.nearest[order], cells.centres), strict=True):
        np.save(folder / f"{name}.npy", values)
