"""A column of vectors as one matrix."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from facegen.data import table
from facegen.data.search import directions


class Vectors(NamedTuple):
    """Unit vectors, and the rows of the table that they belong to: those that have one, in the table's order."""

    matrix: Float[np.ndarray, "vector dim"]
    rows: Int[np.ndarray, " vector"]


def read_vectors(place: Path, column: str = "embedding") -> Vectors:
    """A column of vectors of a table, scaled to length 1, in float32.

    It is held once in memory: 1.3 GB of 425,258 vectors of 768 numbers. Raises ValueError where there is no such
    column, where it holds no vectors of one length, and for one without a direction.
    """
    size = vector_size(place, column)
    matrix, rows, count, seen = np.empty((table.num_rows(place), size), np.float32), [], 0, 0
    for values in table.batches(place, column):
        some = np.asarray(values.drop_null().flatten(), np.float32).reshape(-1, size)
        rows.append(seen + np.flatnonzero(np.asarray(values.is_valid())))
        matrix[count : count + len(some)] = directions(some, seen)
        count, seen = count + len(some), seen + len(values)
    return Vectors(matrix[:count], np.concatenate([np.zeros(0, np.int64), *rows]))


def vector_size(place: Path, column: str) -> int:
    """How many numbers each vector of a column has. Raises ValueError where `read_vectors` does."""
    schema = table.schema(place)
    if column not in schema.names:
        raise ValueError(f"{place} has no column {column!r}; facegen data describe columns=[embedding] adds embeddings")
    kind = schema.field(column).type
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)):
        raise ValueError(f"column {column!r} of {place}: got {kind}, expected vectors of one length")
    return kind.list_size
