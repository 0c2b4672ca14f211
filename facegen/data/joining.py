"""The tables of several sources as one."""

from collections.abc import Sequence

import pyarrow as pa

from facegen.data.stamps import LABEL_COLUMNS


def join_sources(tables: Sequence[pa.Table], names: Sequence[str], labels: bool) -> pa.Table:
    """One table over all sources; with several, ids begin with the source's name so that they stay unique."""
    if len(tables) > 1:
        tables = [_prefixed(rows, name) for rows, name in zip(tables, unique_names(names), strict=True)]
    kinds = {column for rows in tables for column in rows.column_names if column in LABEL_COLUMNS}
    if labels and len(kinds) > 1:
        raise ValueError("some sources have camera labels and others class labels; expected one kind in a recipe")
    if len(tables) > 1:
        tables = [rows.drop_columns(_unlike(rows, tables)) for rows in tables]
    try:
        tables = [rows.replace_schema_metadata(None) for rows in tables]
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"the tables of the sources do not fit together ({error}); expected columns alike") from error


def _unlike(rows: pa.Table, tables: Sequence[pa.Table]) -> list[str]:
    """Columns that another source has with a type that cannot be made alike: nothing in common but the name."""
    kinds = [{field.name: _kind(field.type) for field in table.schema} for table in tables]
    return [name for name in rows.column_names if len({kind[name] for kind in kinds if name in kind}) > 1]


def _kind(type: pa.DataType) -> str:
    if pa.types.is_integer(type) or pa.types.is_floating(type):
        return "number"
    return "text" if pa.types.is_string(type) else str(type)


def _prefixed(rows: pa.Table, name: str) -> pa.Table:
    ids = pa.array([f"{name}/{face}" for face in rows["id"].to_pylist()], pa.string())
    return rows.set_column(rows.column_names.index("id"), "id", ids)


def unique_names(names: Sequence[str]) -> list[str]:
    """What ids of several sources begin with, before a `/`: their names, numbered where they are alike."""
    return [name if names.count(name) == 1 else f"{name}.{names[:i].count(name)}" for i, name in enumerate(names)]
