"""The faces of a recipe as the room sees them: columns as arrays of numbers, read when they are first asked for."""

import os
import secrets
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from facegen.data import Recipe, table
from facegen.data.joining import unique_names
from facegen.data.sources import Source

Numbers = Float[np.ndarray, " face"]
_OF_FILES = ("offset", "mtime", "bits", "orientation")  # numbers that say nothing about faces


class Place(NamedTuple):
    """Where a face is: its source, its row there, and its id there (in `Faces.ids` it may have a prefix)."""

    source: Source
    row: int
    id: str


class Faces:
    """The faces of one recipe, for all visitors; nothing about it changes but columns that are added to its tables.

    Columns are those of the tables as they are now, or of the recipe where a source has no table that is up to date.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.stamp = secrets.token_hex(4)  # in addresses of pictures: browsers keep pictures
        self._as_numbers: dict[str, tuple[tuple[int, ...], Numbers]] = {}

    def __len__(self) -> int:
        return self.recipe.num_faces

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each source, and behind the last."""
        return [0, *np.cumsum(self.recipe.counts).tolist()]

    @cached_property
    def _rows(self) -> list[pa.Array]:
        """For each source its rows that the recipe has."""
        rows, names, found = self.recipe.rows["id"], unique_names(self.recipe.source_names), []
        for source, name, start, stop in zip(self.recipe.sources, names, self.starts, self.starts[1:], strict=False):
            known = source.rows["id"].combine_chunks()
            if stop - start == len(known):
                found.append(pa.array(np.arange(len(known), dtype=np.int64)))
                continue
            prefix = len(name) + 1 if len(names) > 1 else 0
            ids = rows.slice(start, stop - start).combine_chunks()
            found.append(_places(pc.call_function("utf8_slice_codeunits", [ids], pc.SliceOptions(prefix)), known))
        return found

    def place(self, row: int) -> Place:
        """Where a face is."""
        number = int(np.searchsorted(self.starts, row, "right")) - 1
        source = self.recipe.sources[number]
        inside = self._rows[number][row - self.starts[number]].as_py()
        return Place(source, inside, source.rows["id"][inside].as_py())

    def rows_in(self, source: Source, ids: Sequence[str]) -> list[int]:
        """Rows of a source by ids there, -1 for those that it does not have."""
        places = _places(pa.array(ids, pa.string()), source.rows["id"].combine_chunks())
        return [-1 if place is None else place for place in places.to_pylist()]

    def columns_of(self, source: Source) -> list[str]:
        """Names of the columns that faces of a source have."""
        return self._schema(source).names

    def outdated(self) -> list[str]:
        """What to say of sources whose table is not used, because their images have changed since it was made."""
        problems = [problem for source in self.recipe.sources for problem in source.problems]
        return [f"{each.id}: {each.detail}" for each in problems if each.kind == "index out of date"]

    def columns(self) -> dict[str, pa.DataType]:
        """Names and types of all columns."""
        found = {}
        for source in self.recipe.sources:
            for field in self._schema(source):
                found.setdefault(field.name, field.type)
        return found

    def number_columns(self) -> list[str]:
        """Columns of one number, or of yes and no, for each face."""
        return [name for name, kind in self.columns().items() if _is_number(kind) and name not in _OF_FILES]

    def numbers(self, name: str) -> Numbers:
        """A column of numbers, NaN where a face has none. Raises ValueError where there is no such column."""
        versions = self._versions()
        if (kept := self._as_numbers.get(name)) is not None and kept[0] == versions:
            return kept[1]
        if name not in self.columns() or not _is_number(self.columns()[name]):
            raise ValueError(f"column: got {name!r}, expected one of numbers: {', '.join(self.number_columns())}")
        parts = [
            pc.cast(self.column(name, number), pa.float64(), safe=False).to_numpy() for number in self._each_source()
        ]
        values = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
        self._as_numbers[name] = versions, values
        return values

    def known(self, name: str) -> Bool[np.ndarray, " face"]:
        """Which faces have a value in a column; nobody where there is no such column."""
        return np.concatenate([self.column(name, number).is_valid().to_numpy() for number in self._each_source()])

    def column(self, name: str, number: int) -> pa.ChunkedArray:
        """The values that a column has for the faces of a source, in the order of the recipe."""
        source, rows = self.recipe.sources[number], self._rows[number]
        if name not in self._schema(source).names:
            return pa.chunked_array([pa.nulls(len(rows))])
        if not source.indexed:
            return source.rows[name].take(rows)
        read = table.read(table.table_path(source.root), ["id", name])
        if read["id"].equals(source.rows["id"]):
            return read[name].take(rows)
        ids = source.rows["id"].take(rows).combine_chunks()
        return read[name].combine_chunks().take(_places(ids, read["id"].combine_chunks()))

    def values(self, row: int, wanted: set[str] | None = None) -> dict[str, Any]:
        """All columns of a face, or some, those that it has; paths are those of files."""
        place = self.place(row)
        schema = self._schema(place.source)
        names = [name for name in schema.names if wanted is None or name in wanted]
        if place.source.indexed:
            found = table.take(
                table.table_path(place.source.root), [place.row], list({"id": 0, **dict.fromkeys(names)})
            )
            if found["id"][0].as_py() != place.id:
                raise ValueError(f"{place.source.root} was indexed anew; start facegen explore again")
        else:
            found = place.source.rows.slice(place.row, 1)
        return {name: found[name][0].as_py() for name in names if found[name][0].is_valid}

    def identify(self, rows: Int[np.ndarray, " some"]) -> list[str]:
        """Ids of some rows, as the recipe calls them."""
        return self.recipe.rows["id"].take(pa.array(rows)).to_pylist()

    def _each_source(self) -> range:
        return range(len(self.recipe.sources))

    def _schema(self, source: Source) -> pa.Schema:
        return table.schema(table.table_path(source.root)) if source.indexed else source.rows.schema

    def _versions(self) -> tuple[int, ...]:
        """What changes when a table does."""
        paths = [table.table_path(source.root) / "_versions" for source in self.recipe.sources if source.indexed]
        return tuple(os.stat(path).st_mtime_ns for path in paths)


@lru_cache(maxsize=64)
def faces_of(recipe: Recipe) -> Faces:
    """The faces of a recipe, the same object for everyone who asks."""
    return Faces(recipe)


def _places(ids: pa.Array, known: pa.Array) -> pa.Array:
    """Where ids are among those that are known; null for others."""
    return pc.call_function("index_in", [ids], pc.SetLookupOptions(known))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
