"""Columns for the table of any source: per face and resumable, or decided over all faces at once.

Files that belong to columns lie in `.described/COLUMN/ID...`, beside the parts of `facegen.curation.parts`; the folder
is hidden, so that they are not taken for faces. For a zip it lies beside it, `.NAME.zip.described`.
"""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

from facegen.curation.engine import Engine, EngineName, open_engine
from facegen.curation.parts import complete, locked
from facegen.curation.photographs import PLACE
from facegen.curation.stages import REASON, Stage
from facegen.data import table
from facegen.data.index import build_index
from facegen.data.stamps import stored_shipped


class Making(NamedTuple):
    """Where things lie while a source gets columns.

    `source`: folder or zip of the images. `base`: the folder that relative paths of the table refer to. `folder`: files
    of columns, and parts. `table`: faces.lance. `device`: where networks compute.
    """

    source: Path
    base: Path
    folder: Path
    table: Path
    device: str = "cpu"


class Group(NamedTuple):
    """Columns computed face by face.

    `stage(making)` reads `id`, the columns of PLACE and others of the table, those of earlier groups among them; a
    value that a face has not is None. `file(making, id)`: the file that the stage writes for a face; where it is gone,
    the face is computed again. `given(making)`: columns with `id` that the stage reads beside the table's; they are
    kept in the table too, unless the dataset ships them. `terms`: of the models that compute them.
    """

    name: str
    stage: Callable[[Making], Stage]
    file: Callable[[Making, str], Path] | None = None
    given: Callable[[Making], pa.Table] | None = None
    terms: str = ""


class Whole(NamedTuple):
    """Columns decided over all faces at once: `columns(rows, making)` gets `id` and the columns `reads`, and returns
    a table of `id` and the new ones."""

    name: str
    reads: tuple[str, ...]
    columns: Callable[[pa.Table, Making], pa.Table]


class Added(NamedTuple):
    """What was made, by group: faces that have it, faces computed now, and (face, reason) without.

    `folder`: where the files of columns lie. `faces`: how many the source has.
    """

    folder: Path
    faces: int
    made: dict[str, int]
    computed: dict[str, int]
    problems: dict[str, list[tuple[str, str]]]


def add_columns(
    root: str | Path,
    groups: Sequence[Group | Whole],
    engine: EngineName = "pool",
    workers: int = 2,
    layout: str | None = None,
    device: str = "cpu",
) -> Added:
    """Add groups of columns to the table of a source in their order, going on where it was interrupted.

    The table is made or brought up to date first; each group is one commit. Nothing is computed twice; one process at
    a time works on a source, others wait. `workers`: processes, 0: this one; a GPU is used from this one.
    Raises ValueError for columns that a group needs and the table has not, and for those that came with the dataset.
    """
    source = build_index(root, layout).source.root
    base = source if source.is_dir() else source.parent
    folder = described_folder(source)
    _require_writable(folder.parent)
    with open_engine(engine, workers) as run, locked(folder):
        making = Making(source, base, folder, table.table_path(source), device)
        work = _Work(making, run if torch.device(device).type == "cpu" else map)
        for group in groups:
            work.run(group)
        return Added(folder, work.faces, work.made, work.computed, work.problems)


def described_folder(source: Path) -> Path:
    """Where the files of a source's columns lie."""
    return source / ".described" if source.is_dir() else source.with_name(f".{source.name}.described")


class _Work:
    """A source that gets columns, and what has been done so far."""

    def __init__(self, making: Making, engine: Engine) -> None:
        self.making, self.engine = making, engine
        rows = table.read(making.table, ["id"])
        self.faces, self.shipped = len(rows), stored_shipped(rows)
        self.made: dict[str, int] = {}
        self.computed: dict[str, int] = {}
        self.problems: dict[str, list[tuple[str, str]]] = {}

    def run(self, group: Group | Whole) -> None:
        """Compute the columns of a group and commit them."""
        made = self._whole(group) if isinstance(group, Whole) else self._staged(group)
        names = [name for name in made.column_names if name != "id"]
        if not _same(self.making.table, made.select(["id", *names])):
            table.set_columns(self.making.table, made)
        without = len(self.problems[group.name]) or made[names[0]].null_count
        self.made[group.name] = len(made) - without

    def _staged(self, group: Group) -> pa.Table:
        stage = group.stage(self.making)
        self._require_own(group, stage.columns)
        given = None if group.given is None else group.given(self.making)
        beside = [] if given is None else [name for name in given.column_names if name != "id"]
        rows = self._read(group, [name for name in ("id", *PLACE, *stage.reads) if name not in beside])
        if given is not None:
            rows = table.join_columns(rows, given)
        file = group.file
        lost = (lambda face: False) if file is None else (lambda face: not file(self.making, face).exists())
        done = complete(stage, rows, self.making.folder, self.engine, lost)
        self.computed[group.name] = done.computed
        reasons = zip(rows["id"].to_pylist(), done.columns[REASON].to_pylist(), strict=True)
        self.problems[group.name] = [(face, reason) for face, reason in reasons if reason]
        made = done.columns.select(stage.columns).append_column("id", rows["id"])
        for name in beside:
            made = made if name in self.shipped else made.append_column(name, rows[name])
        return made

    def _whole(self, group: Whole) -> pa.Table:
        made = group.columns(self._read(group, ["id", *group.reads]), self.making)
        self._require_own(group, made.column_names)
        self.computed[group.name], self.problems[group.name] = len(made), []
        return made.select([*(name for name in made.column_names if name != "id"), "id"])

    def _require_own(self, group: Group | Whole, names: Sequence[str]) -> None:
        if shipped := [name for name in names if name != "id" and name in self.shipped]:
            what = f"{group.name}: {shipped[0]} of {self.making.source}"
            raise ValueError(f"{what} came with the dataset; leave it as it is")

    def _read(self, group: Group | Whole, names: Sequence[str]) -> pa.Table:
        known = table.schema(self.making.table).names
        if missing := [name for name in names if name not in known]:
            what = f"{group.name}: the faces of {self.making.source} have no {missing[0]}"
            raise ValueError(f"{what}; add it first (facegen data describe --help says which columns there are)")
        return table.read(self.making.table, list(dict.fromkeys(names))).replace_schema_metadata(None)


def _same(place: Path, made: pa.Table) -> bool:
    """Whether the table has exactly these values, and fields, already."""
    schema = table.schema(place)
    if any(
        name not in schema.names or not schema.field(name).equals(made.field(name), True) for name in made.schema.names
    ):
        return False
    stored = table.read(place, made.column_names)
    return all(_equal(stored[name].combine_chunks(), made[name].combine_chunks()) for name in made.column_names)


def _equal(one: pa.Array, other: pa.Array) -> bool:
    """Whether two columns of one type have the same values; unlike Arrow's comparison, NaN is the same as NaN."""
    if one.equals(other):
        return True
    listed = pa.types.is_fixed_size_list(one.type)
    if not pa.types.is_floating(one.type.value_type if listed else one.type):
        return False
    known = [column.drop_null() for column in (one, other)]
    values = [np.asarray(column.flatten() if listed else column) for column in known]
    return one.is_null().equals(other.is_null()) and np.array_equal(*values, equal_nan=True)


def _require_writable(folder: Path) -> None:
    if not folder.stat().st_mode & 0o222:  # root could write, but whoever took the permission away meant it
        raise PermissionError(errno.EACCES, "marked read-only", str(folder))
