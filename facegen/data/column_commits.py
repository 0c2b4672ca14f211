"""Adding columns to a Lance table in one commit that writes nothing else; a part of `facegen.data.table`.

A table's rows lie in fragments, each of several files that hold some columns for all its rows. A new column is one more
file of each fragment. One that replaces another of its name is added to the table as it would be without the old one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

_ROWS_AT_ONCE = 8192


def commit_columns(dataset: Any, columns: pa.Table, order: pa.Array) -> int:
    """Commit `columns`, taken in `order` (a row of them for each row of the dataset, or null); the new version.

    Earlier versions stay as they were. The dataset must have rows. Raises what Lance does, among it an OSError of a
    "conflict" where somebody committed since the dataset was opened.
    """
    import lance

    start, made, schema = 0, [], None
    with _without(dataset, columns.column_names) as kept:
        # Lance numbers new columns after those that are left, and refuses numbers that others had; empty columns, which
        # no schema names, take these.
        taken = [f"taken_{number}" for number in range(dataset.max_field_id - kept.max_field_id)]
        columns = _with_empty(columns, taken)
        for fragment in kept.get_fragments():
            rows = order.slice(start, fragment.count_rows())
            metadata, schema = fragment.merge_columns(
                pa.RecordBatchReader.from_batches(columns.schema, _batches(columns, rows))
            )
            made.append(metadata)
            start += len(rows)
        merge = lance.LanceOperation.Merge(made, _schema_without(schema, taken))
        return lance.LanceDataset.commit(dataset.uri, merge, read_version=dataset.version, max_retries=0).version


def _with_empty(columns: pa.Table, names: Sequence[str]) -> pa.Table:
    """A table with columns of nulls before its own."""
    empty = pa.table({name: pa.nulls(len(columns), pa.bool_()) for name in names})
    for field in columns.schema if names else ():
        empty = empty.append_column(field, columns[field.name])
    return empty if names else columns


def _batches(columns: pa.Table, order: pa.Array) -> Iterator[pa.RecordBatch]:
    """Rows of a table in another order, some at a time, so that large columns are not held twice."""
    arrays = [c.chunk(0) if c.num_chunks == 1 else c.combine_chunks() for c in columns.columns]
    for start in range(0, len(order), _ROWS_AT_ONCE):
        rows = order.slice(start, _ROWS_AT_ONCE)
        yield pa.record_batch([array.take(rows) for array in arrays], schema=columns.schema)


@contextmanager
def _without(dataset: Any, names: Sequence[str]) -> Iterator[Any]:
    """The dataset as it would be without some columns: a version apart, which is no version of the table."""
    import lance

    if not set(names) & set(dataset.schema.names):
        yield dataset
        return
    project = lance.LanceOperation.Project(_schema_without(dataset.lance_schema, names))
    apart = lance.LanceDataset.commit(dataset, project, read_version=dataset.version, detached=True)
    try:
        yield apart
    finally:
        (Path(dataset.uri) / "_versions" / f"d{apart.version}.manifest").unlink(missing_ok=True)


def _schema_without(schema: Any, names: Sequence[str]) -> Any:
    """A schema of Lance without some columns, the others with the numbers under which the files know them."""
    build, (metadata, *fields) = schema.__reduce__()  # the fields in depth-first order
    kept = [field.name() not in names for field in schema.fields() for _ in range(_num_fields(field))]
    return build(metadata, *(field for field, is_kept in zip(fields, kept, strict=True) if is_kept))


def _num_fields(field: Any) -> int:
    return 1 + sum(map(_num_fields, field.children()))
