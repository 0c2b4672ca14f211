"""The table beside a source, `faces.lance`: the only module that knows Lance.

Every write is one atomic commit; earlier versions stay readable. Open tables in the main process only: a Lance handle
that crosses a fork crashes, so workers are handed flat arrays.
"""

import errno
import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from facegen.checkpoint import atomic_write
from facegen.data.asking import complaint, in_columns
from facegen.data.column_commits import commit_columns

STORAGE_VERSION = "2.1"  # explicit, because the default moves with Lance and older readers must still open the file
_TRIES = 10  # to add columns while other processes do


def table_path(root: Path) -> Path:
    """Where the table of a source lies: inside a folder, beside a zip."""
    return root / "faces.lance" if root.is_dir() else root.with_name(f"{root.name}.lance")


def exists(path: Path) -> bool:
    """Whether there is a table; Lance itself is not imported to find out."""
    return (path / "_versions").is_dir()


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read columns (all by default) into memory, with the schema's metadata. Raises ValueError for a broken table."""
    dataset = _open(path)
    _check_names(dataset, columns or (), path)
    return dataset.to_table(columns=None if columns is None else list(columns)).replace_schema_metadata(
        dataset.schema.metadata
    )


def take(path: Path, rows: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Some rows, by their numbers in `read`, in the order given: milliseconds, however wide and long the table is.

    Raises ValueError for rows and columns that are not there.
    """
    dataset = _open(path)
    _check_names(dataset, columns, path)
    count = dataset.count_rows()
    if wrong := [row for row in rows if not 0 <= row < count]:
        raise ValueError(f"{path} has no row {wrong[0]}; it has 0 to {count - 1}")
    return dataset.take(list(rows), columns=list(columns)).replace_schema_metadata(None)


def num_rows(path: Path) -> int:
    """How many rows a table has."""
    return _open(path).count_rows()


def batches(path: Path, column: str) -> Iterator[pa.Array]:
    """The values of a column in order, some thousands at a time, for columns that should not be in memory twice."""
    dataset = _open(path)
    _check_names(dataset, [column], path)
    for batch in dataset.to_batches(columns=[column], scan_in_order=True):
        yield batch[column]


def content_stamp(path: Path, column: str) -> str:
    """Name of what a column holds now: another one whenever it, or the table as a whole, was written again."""
    dataset = _open(path)
    _check_names(dataset, [column], path)
    number = dataset.lance_schema.field(column).id()
    parts = [(part.fragment_id, part.metadata) for part in dataset.get_fragments()]
    names = [f"{key} {m.physical_rows} {f.path}" for key, m in parts for f in m.files if number in f.fields]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _check_names(dataset: Any, columns: Sequence[str], path: Path) -> None:
    if unknown := sorted(set(columns) - set(dataset.schema.names)):
        raise ValueError(f"{path} has no column {unknown[0]!r}; it has {', '.join(dataset.schema.names)}")


def matching(path: Path, condition: str) -> list[str]:
    """Ids of the rows that fulfil a condition in SQL on the table's columns, in which CelebA's attributes and flags can
    be called by name (`facegen.data.asking`). Raises ValueError for a wrong one."""
    dataset = _open(path)
    names = dataset.schema.names
    try:
        return dataset.to_table(columns=["id"], filter=in_columns(condition, names))["id"].to_pylist()
    except (OSError, RuntimeError, ValueError) as error:
        reason = f"where={condition!r:.200} cannot be asked of {path} ({complaint(str(error), names)})"
        raise ValueError(f"{reason}; its columns: {', '.join(names)}") from error


def schema(path: Path) -> pa.Schema:
    """Names and types of the columns, and the metadata, without reading rows."""
    return _open(path).schema


def write(path: Path, table: pa.Table) -> int:
    """Commit a whole table as a new version and return its number. Raises OSError where the folder is read-only."""
    _check_writable(path)
    lance = _lance()
    mode = "overwrite" if exists(path) else "create"
    try:
        return lance.write_dataset(
            table, str(path), mode=mode, data_storage_version=STORAGE_VERSION, enable_stable_row_ids=True
        ).version
    except (OSError, RuntimeError, ValueError) as error:
        raise _unwritable(path, error) from error


def _check_writable(path: Path) -> None:
    if not path.parent.stat().st_mode & 0o222:  # root could write, but whoever took the permission away meant it
        raise PermissionError(errno.EACCES, "marked read-only", str(path.parent))


def _unwritable(path: Path, error: Exception) -> OSError:
    reason = str(error).splitlines()[0][:200]
    return OSError(f"{path} cannot be written ({reason}); is the folder writable, is the disk full?")


def set_columns(path: Path, columns: pa.Table) -> int:
    """Add the columns of a table keyed by `id`, replacing those of the same name; rows without one become null.

    One commit, which writes these columns alone: others are not even read. Raises ValueError for ids that the table
    does not have, or that come twice; OSError where it cannot be written.
    """
    _check_writable(path)
    for tries_left in reversed(range(_TRIES)):
        dataset = _open(path)
        order = _order(dataset.to_table(columns=["id"])["id"], columns)
        added = columns.drop_columns(["id"]).replace_schema_metadata(None)
        if not len(order):  # no rows, so no file that columns could be added to
            kept = [name for name in dataset.schema.names if name not in added.column_names]
            return write(path, join_columns(read(path, kept), columns))
        try:
            return commit_columns(dataset, added, order)
        except (OSError, RuntimeError, ValueError) as error:
            if not (tries_left and "conflict" in str(error).lower()):  # else another process committed first
                raise _unwritable(path, error) from error
    raise AssertionError("the last try returns or raises")


def join_columns(table: pa.Table, columns: pa.Table) -> pa.Table:
    """`table` with the further columns of `columns`, matched by `id`, in the order of `table`."""
    order = _order(table["id"], columns)
    for name in columns.column_names:
        if name != "id":
            table = table.append_column(columns.schema.field(name), columns[name].combine_chunks().take(order))
    return table


def _order(ids: pa.ChunkedArray, columns: pa.Table) -> pa.Array:
    """For each id the row of `columns` that has it, or null. Raises ValueError for unknown or repeated ids there."""
    known, given = ids.combine_chunks(), columns["id"].combine_chunks()
    is_known = pc.call_function("is_in", [given], pc.SetLookupOptions(known))
    is_repeated = len(given.unique()) != len(given)
    if is_repeated or is_known.false_count:
        unknown = sorted(set(given.to_pylist()) - set(known.to_pylist()))
        what = "the same id twice" if is_repeated else f"ids that do not exist, such as {unknown[0]!r}"
        raise ValueError(f"columns {', '.join(columns.column_names)} hold {what}; expected one row for an id")
    return pc.call_function("index_in", [known], pc.SetLookupOptions(given))


def tag(path: Path, name: str) -> None:
    """Name the current version of a table: a release."""
    dataset = _open(path)
    if name in dataset.tags.list():
        raise ValueError(f"{path} has a release {name!r} already; choose another name")
    dataset.tags.create(name, dataset.version)


def export_parquet(table: pa.Table, path: Path) -> None:
    """Write a table as one Parquet file, atomically."""
    with atomic_write(path) as temporary:
        parquet.write_table(table, temporary)


def import_parquet(path: Path) -> pa.Table:
    """Read a Parquet file. Raises ValueError where it is none."""
    try:
        return parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error})") from error


def export_labels(table: pa.Table, names: Sequence[str], path: Path) -> None:
    """Write `dataset.json` as NVIDIA's tools read it: the label of each image by its name, or null without labels."""
    column = next((name for name in ("camera", "label") if name in table.column_names), None)
    labels: list[list[Any]] | None = None
    if column:
        values = table[column].to_pylist()
        labels = [[name, value] for name, value in zip(names, values, strict=True) if value is not None]
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"labels": labels}))


def _open(path: Path) -> Any:
    if not exists(path):
        raise ValueError(f"{path} does not exist; make it: facegen data index root=FOLDER_OR_ZIP")
    try:
        return _lance().dataset(str(path))
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{path} is damaged ({reason}); delete it and run facegen data index again") from error


def _lance() -> ModuleType:
    """Imported on first use: it takes half a second, and a bare folder trains without it."""
    import lance

    # Said at every fork once Lance is imported. The handles that must not cross a fork never leave this module.
    warnings.filterwarnings("ignore", message="lance is not fork-safe")
    return lance
