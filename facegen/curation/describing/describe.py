"""Captions and sketches as columns of any source, with files beside it in Multi-Modal-CelebA-HQ's form.

`.described/text/ID.txt` has a caption in each line, `.described/sketch/ID.png` is a picture of the face's size; the
folder is hidden, so that sketches are not taken for faces. For a zip it lies beside it, `.NAME.zip.described`.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from facegen.curation.describing.attributes import COLUMN, attributes_of, named
from facegen.curation.describing.captions import VERSION as CAPTION_VERSION
from facegen.curation.describing.captions import captions
from facegen.curation.describing.sketches import PEN, Pen, simplified_sketch
from facegen.curation.describing.sketches import VERSION as SKETCH_VERSION
from facegen.curation.engine import Engine, EngineName, open_engine
from facegen.curation.parts import complete, locked
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import REASON, Row, Stage
from facegen.data import table
from facegen.data.celeba import ATTRIBUTES
from facegen.data.index import build_index
from facegen.data.stamps import stored_shipped

KINDS = {"captions": "text", "sketch": "sketch"}  # column, and the folder of its files
_SUFFIXES = {"captions": ".txt", "sketch": ".png"}


class Described(NamedTuple):
    """What was made: the folder of the files, faces with each column, faces made now, and (face, reason) without."""

    folder: Path
    faces: int
    described: dict[str, int]
    computed: dict[str, int]
    problems: list[tuple[str, str]]


def describe(
    root: str | Path,
    columns: Sequence[str] = tuple(KINDS),
    seed: int = 0,
    attributes: str | Path | None = None,
    pen: Pen = PEN,
    engine: EngineName = "pool",
    workers: int = 2,
    layout: str | None = None,
) -> Described:
    """Give the faces of a source captions, sketches or both, going on where it was interrupted.

    `columns`: some of "captions" and "sketch". Captions come from attributes (`attributes_of`), and a face's from its
    own and `seed` only; they are the same in any order and number of processes. The table is made or brought up to date
    first. Nothing is computed twice; one process at a time works on a source, others wait.
    Raises ValueError for a source without attributes, and for columns that came with the dataset.
    """
    if unknown := [name for name in columns if name not in KINDS]:
        raise ValueError(f"describe: got {unknown[0]!r}, expected some of: {', '.join(KINDS)}")
    source = build_index(root, layout).source.root
    place, folder = table.table_path(source), described_folder(source)
    if shipped := [name for name in columns if name in stored_shipped(table.read(place, ["id"]))]:
        raise ValueError(f"describe: {shipped[0]} of {source} came with the dataset; leave them as they are")
    _require_writable(folder.parent)
    with open_engine(engine, workers) as run, locked(folder):
        work = _Work(source, folder, run)
        if "captions" in columns:
            work.captions(attributes_of(source, None if attributes is None else Path(attributes).expanduser()), seed)
        if "sketch" in columns:
            work.sketches(pen)
        return work.finish()


def described_folder(source: Path) -> Path:
    """Where the files of a source lie."""
    return source / ".described" if source.is_dir() else source.with_name(f".{source.name}.described")


class _Work:
    """A source that is being described."""

    def __init__(self, source: Path, folder: Path, engine: Engine) -> None:
        self.place, self.folder, self.engine = table.table_path(source), folder, engine
        self.base = source if source.is_dir() else source.parent
        self.rows = table.read(self.place, ["id", *PLACE])
        self.shipped = stored_shipped(self.rows)
        self.made = self.rows.select(["id"]).replace_schema_metadata(None)
        self.computed: dict[str, int] = {}
        self.problems: list[tuple[str, str]] = []

    def captions(self, values: np.ndarray, seed: int) -> None:
        """Draw captions of faces of which something is known, and keep what it is."""
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), len(ATTRIBUTES))
        rows = self.rows.select(["id"]).append_column(COLUMN, vectors)
        schema = pa.schema([("captions", pa.list_(pa.string()))])
        context = {"folder": str(self.folder / KINDS["captions"])}
        stage = Stage("captions", CAPTION_VERSION, _captions, ("id", COLUMN), schema, {"seed": seed}, context, 64)
        self._run(stage, rows)
        if COLUMN not in self.shipped:
            self.made = self.made.append_column(COLUMN, vectors)

    def sketches(self, pen: Pen) -> None:
        """Draw sketches."""
        schema = pa.schema([("sketch", pa.string())])
        context = {"folder": str(self.folder / KINDS["sketch"]), "base": str(self.base)}
        stage = Stage("sketch", SKETCH_VERSION, _sketch, ("id", *PLACE), schema, pen._asdict(), context, 16)
        self._run(stage, self.rows)

    def _run(self, stage: Stage, rows: pa.Table) -> None:
        done = complete(stage, rows, self.folder, self.engine, lambda face: not self._file(stage.name, face).exists())
        self.made = self.made.append_column(stage.name, done.columns[stage.name])
        self.computed[stage.name] = done.computed
        reasons = zip(rows["id"].to_pylist(), done.columns[REASON].to_pylist(), strict=True)
        self.problems += [(face, reason) for face, reason in reasons if reason]

    def _file(self, column: str, face: str) -> Path:
        return _file(self.folder / KINDS[column], face, _SUFFIXES[column])

    def finish(self) -> Described:
        """Commit the columns, where they are not in the table yet."""
        names = [name for name in self.made.column_names if name != "id"]
        known = set(names) <= set(table.schema(self.place).names)
        if not known or not _same(table.read(self.place, names), self.made.select(names)):
            table.set_columns(self.place, self.made)
        described = {name: len(self.made) - self.made[name].null_count for name in self.computed}
        return Described(self.folder, len(self.made), described, self.computed, self.problems)


def _same(one: pa.Table, other: pa.Table) -> bool:
    return one.replace_schema_metadata(None).combine_chunks().equals(other.combine_chunks())


def _captions(row: Row, seed: int, folder: str) -> Row:
    known = named(np.array(row[COLUMN], np.int8))
    if not known:
        return {REASON: "no attributes are known of it"}
    texts = captions(known, row["id"], seed)
    path = _file(Path(folder), row["id"], _SUFFIXES["captions"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")  # whole before the chunk is: its part marks it as done
    return {"captions": texts}


def _sketch(row: Row, folder: str, base: str, **pen: Any) -> Row:
    cv2.setNumThreads(1)  # the processes share the work
    drawn = simplified_sketch(read_photograph(row, base).pixels, Pen(**pen))
    path = _file(Path(folder), row["id"], _SUFFIXES["sketch"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
    return {"sketch": os.path.relpath(path, base)}


def _file(folder: Path, face: str, suffix: str) -> Path:
    return folder / f"{face}{suffix}"


def _require_writable(folder: Path) -> None:
    if not folder.stat().st_mode & 0o222:  # root could write, but whoever took the permission away meant it
        raise PermissionError(errno.EACCES, "marked read-only", str(folder))
