"""The table beside a source, `faces.lance`: the only module that knows Lance.

Every write is one atomic commit; earlier versions stay readable. Open tables in the main process only: a Lance handle
that crosses a fork crashes, so workers are handed flat arrays.
"""

import errno
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from facegen.checkpoint import atomic_write
from facegen.data.asking import complaint, in_columns

STORAGE_VERSION = "2.1"  # explicit, because the default moves with Lance and older readers must still open the file


def table_path(root: Path) -> Path:
    """Where the table of a source lies: inside a folder, beside a zip."""
    return root / "faces.lance" if root.is_dir() else root.with_name(f"{root.name}.lance")


def exists(path: Path) -> bool:
    """Whether there is a table; Lance itself is not imported to find out."""
    return (path / "_versions").is_dir()


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read columns (all by default) into memory, with the schema's metadata. Raises ValueError for a broken table."""
    dataset = _open(path)
    if unknown := sorted(set(columns or ()) - set(dataset.schema.names)):
        raise ValueError(f"{path} has no column {unknown[0]!r}; it has {', '.join(dataset.schema.names)}")
    return dataset.to_table(columns=None if columns is None else list(columns)).replace_schema_metadata(
        dataset.schema.metadata
    )


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
    if not path.parent.stat().st_mode & 0o222:  # root could write, but whoever took the permission away meant it
        raise PermissionError(errno.EACCES, "marked read-only", str(path.parent))
    lance = _lance()
    mode = "overwrite" if exists(path) else "create"
    try:
        return lance.write_dataset(
            table, str(path), mode=mode, data_storage_version=STORAGE_VERSION, enable_stable_row_ids=True
        ).version
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise OSError(f"{path} cannot be written ({reason}); is the folder writable, is the disk full?") from error


def set_columns(path: Path, columns: pa.Table) -> int:
    """Add the columns of a table keyed by `id`, replacing those of the same name; rows without one become null.

    One commit. Raises ValueError for ids that the table does not have, or that come twice.
    """
    old = read(path)
    names = [name for name in columns.column_names if name != "id"]
    return write(path, join_columns(old.drop_columns([n for n in names if n in old.column_names]), columns))


def join_columns(table: pa.Table, columns: pa.Table) -> pa.Table:
    """`table` with the further columns of `columns`, matched by `id`, in the order of `table`."""
    place = {name: row for row, name in enumerate(columns["id"].to_pylist())}
    ids = table["id"].to_pylist()
    unknown = place.keys() - set(ids)
    if len(place) != len(columns) or unknown:
        what = "the same id twice" if len(place) != len(columns) else f"ids that do not exist, such as {min(unknown)!r}"
        raise ValueError(f"columns {', '.join(columns.column_names)} hold {what}; expected one row for an id")
    order = pa.array([place.get(name) for name in ids], pa.int64())
    for name in columns.column_names:
        if name != "id":
            table = table.append_column(columns.schema.field(name), columns[name].combine_chunks().take(order))
    return table


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
