"""The faces of a recipe as rows of the tables beside its sources."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from facegen.data import Recipe, table
from facegen.data.asking import suggestion
from facegen.data.joining import unique_names
from facegen.data.selection import table_of


class Candidates(NamedTuple):
    """Faces of one source: where its table is, the ids of all its rows, and the rows that are candidates, in order.

    `recipe_rows`: for each row of the source the row of the recipe, -1 where the recipe leaves it out.
    """

    table: Path
    ids: pa.Array
    rows: Int64[np.ndarray, " candidate"]
    recipe_rows: Int64[np.ndarray, " row"]

    def fulfilling(self, condition: str | None) -> "Candidates":
        """Those that fulfil a condition in SQL. Raises ValueError for one that cannot be asked of the table."""
        if condition is None:
            return self
        matching = pa.array(table.matching(self.table, condition), pa.string())
        fulfils = _looked_up("is_in", self.ids, matching)
        return self._replace(rows=self.rows[fulfils[self.rows]])

    def column(self, name: str) -> pa.Array:
        """A column of the table, all rows. Raises ValueError where there is none, or the table has changed its rows."""
        known = table.schema(self.table).names
        if name not in known:
            raise ValueError(f"{self.table} has no column {name!r}{suggestion(name, known)}; it has {', '.join(known)}")
        columns = table.read(self.table, ["id", name])
        if not columns["id"].combine_chunks().equals(self.ids):
            raise ValueError(f"{self.table} has other faces than when it was opened; open its source again")
        return columns[name].combine_chunks()

    def numbers(self, name: str) -> Float64[np.ndarray, " row"]:
        """A column of numbers or truth values, all rows, NaN where it is null. Raises ValueError for another column."""
        values = self.column(name)
        if not is_number(values.type):
            raise ValueError(f"rank: {name} of {self.table} holds {values.type}; expected a column of numbers")
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type can put faces in order."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def candidates(recipe: Recipe) -> list[Candidates]:
    """All faces of a recipe, source by source. Raises ValueError for a source without a table that is up to date."""
    for source in recipe.sources:
        table_of(source, "search")
    return candidate_rows(recipe)


def candidate_rows(recipe: Recipe) -> list[Candidates]:
    """All faces of a recipe, source by source, whether these have tables or not."""
    found, start = [], 0
    names = unique_names(recipe.source_names)
    for source, name, count in zip(recipe.sources, names, recipe.counts, strict=True):
        ids = source.rows["id"].combine_chunks()
        rows = np.arange(len(ids))
        if count < len(ids):
            prefix = len(name) + 1 if len(names) > 1 else 0
            chosen = recipe.rows["id"].slice(start, count).combine_chunks()
            chosen = pc.call_function("utf8_slice_codeunits", [chosen], pc.SliceOptions(prefix))
            rows = _looked_up("index_in", chosen, ids)
        recipe_rows = np.full(len(ids), -1)
        recipe_rows[rows] = np.arange(start, start + count)
        found.append(Candidates(table.table_path(source.root), ids, rows.astype(np.int64), recipe_rows))
        start += count
    return found


def _looked_up(function: str, values: pa.Array, among: pa.Array) -> np.ndarray:
    """`is_in` or `index_in` of Arrow."""
    found = pc.call_function(function, [values], pc.SetLookupOptions(among))
    return found.to_numpy(zero_copy_only=False)


def place_of(face: str, recipe: Recipe, every: Sequence[Candidates]) -> tuple[int, int]:
    """Which source a face of a recipe is of, and its row in the table. Raises ValueError for an unknown id."""
    row = pc.index(recipe.rows["id"], pa.scalar(face)).as_py()
    if row < 0:
        example = recipe.rows["id"][0].as_py()
        raise ValueError(f"face: got {face!r}, which is none of {len(recipe.rows)}; their ids look like {example!r}")
    number = int(np.searchsorted(np.cumsum(recipe.counts), row, side="right"))
    return number, int(np.flatnonzero(every[number].recipe_rows == row)[0])
