"""Adding columns to a Lance table in one commit that writes nothing else; a part of `facegen.data.table`.

A table's rows lie in fragments, each of several files that hold some columns for all its rows. A new column is one more
file of each fragment. One that replaces another is written under a name of its own, which the commit's schema corrects.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

_ROWS_AT_ONCE = 8192
_NEW = " (new)"  # added to the names of columns while they are written


def commit_columns(dataset: Any, columns: pa.Table, order: pa.Array) -> int:
    """Commit `columns`, taken in `order` (a row of them for each row of the dataset, or null); the new version.

    Earlier versions stay as they were. The dataset must have rows. Raises what Lance does, among it an OSError of a
    "conflict" where somebody committed since the dataset was opened.
    """
    import lance

    names = columns.column_names
    written = columns.rename_columns([f"{name}{_NEW}" for name in names])
    start, made, schema = 0, [], None
    for fragment in dataset.get_fragments():
        rows = order.slice(start, fragment.count_rows())
        reader = pa.RecordBatchReader.from_batches(written.schema, _batches(written, rows))
        metadata, schema = fragment.merge_columns(reader)
        made.append(metadata)
        start += len(rows)
    merge = lance.LanceOperation.Merge(made, _corrected(schema, names))
    return lance.LanceDataset.commit(dataset.uri, merge, read_version=dataset.version, max_retries=0).version


def _batches(columns: pa.Table, order: pa.Array) -> Iterator[pa.RecordBatch]:
    """Rows of a table in another order, some at a time, so that large columns are not held twice."""
    arrays = [c.chunk(0) if c.num_chunks == 1 else c.combine_chunks() for c in columns.columns]
    for start in range(0, len(order), _ROWS_AT_ONCE):
        rows = order.slice(start, _ROWS_AT_ONCE)
        yield pa.record_batch([array.take(rows) for array in arrays], schema=columns.schema)


def _corrected(schema: Any, names: Sequence[str]) -> Any:
    """Lance's schema without the old columns of these names, the new ones called so.

    Lance's own way to drop and rename columns is a commit of its own each. Fields keep the numbers under which the
    files know them.
    """
    build, (metadata, *fields) = schema.__reduce__()  # protocol buffers of the fields, in depth-first order
    tops = [field.name() for field in schema.fields() for _ in range(_num_fields(field))]
    kept = [(top, field) for top, field in zip(tops, fields, strict=True) if top not in names]
    made = build(metadata, *(_renamed(field, top.removesuffix(_NEW)) for top, field in kept))
    expected = dict.fromkeys(top for top, _ in kept)
    if [field.name() for field in made.fields()] != [name.removesuffix(_NEW) for name in expected]:
        raise ValueError(f"columns {', '.join(names)} cannot be named in this table; are their names very long?")
    return made


def _renamed(field: bytes, name: str) -> bytes:
    """The message of a field, or of a part of one, with its name (the second entry, tag 0x12) without `_NEW`."""
    old, new = f"{name}{_NEW}".encode(), name.encode()
    return field.replace(bytes([0x12, len(old)]) + old, bytes([0x12, len(new)]) + new, 1)


def _num_fields(field: Any) -> int:
    return 1 + sum(map(_num_fields, field.children()))
