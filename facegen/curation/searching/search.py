"""Search among the faces of a recipe: who fulfils a condition, who is like a text or an example, in which order."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from facegen.curation.searching.candidates import Candidates, candidates, is_number
from facegen.curation.searching.likeness import similar
from facegen.curation.searching.query import Found, Query, Space
from facegen.data import Recipe, table
from facegen.data.asking import mentioned

Rows = Int64[np.ndarray, " face"]
Values = Float64[np.ndarray, " face"]
_SPACE = Space()


def search_faces(recipe: Recipe, query: Query, space: Space = _SPACE) -> Found:
    """The faces of a recipe that a query asks for, best first.

    It asks the tables beside the recipe's sources as they are now, so that columns made since it was opened are there.
    A face without what is asked (an embedding, a value in the column) is not found. Raises ValueError for a source
    without a table, for a condition or column that a table has not, and for likeness that its model cannot tell.
    """
    query.check()
    every = candidates(recipe)
    asked = [part.fulfilling(query.where) for part in every]
    rows = np.concatenate([part.recipe_rows[part.rows] for part in asked])
    matching, scores = len(rows), np.full(len(rows), np.nan)
    said: dict[str, Values] = {}
    if query.is_by_likeness:
        rows, scores = similar(recipe, query, space, every, asked)
        said["cosine"] = scores
    if query.rank is not None:
        name = query.rank.removeprefix("-")
        values = _numbers(recipe, every, name)[rows]
        scores = -values if query.rank.startswith("-") else values
        order = _descending(scores)
        rows, scores = rows[order], scores[order]
        said = {**{key: known[order] for key, known in said.items()}, name: values[order]}
    rows, scores = rows[: query.count], scores[: query.count]
    said |= {name: values[rows] for name, values in _asked_about(recipe, query.where, every, said).items()}
    ids = recipe.rows["id"].take(pa.array(rows)).to_pylist()
    return Found(ids, rows, scores, _in_words(said, len(rows)), matching)


def _numbers(recipe: Recipe, every: Sequence[Candidates], name: str) -> Values:
    """A column of numbers of all tables, by the recipe's rows."""
    values = np.full(len(recipe.rows), np.nan)
    for part in every:
        taken = part.recipe_rows >= 0
        values[part.recipe_rows[taken]] = part.numbers(name)[taken]
    return values


def _asked_about(
    recipe: Recipe, condition: str | None, every: Sequence[Candidates], said: Mapping[str, Values]
) -> dict[str, Values]:
    """The columns of numbers that a condition names, by the recipe's rows."""
    if condition is None:
        return {}
    schema = table.schema(every[0].table)
    names = [name for name in mentioned(condition, schema.names) if name not in said]
    return {name: _numbers(recipe, every, name) for name in names if is_number(schema.field(name).type)}


def _descending(scores: Values) -> Rows:
    """Places of the numbers among scores, largest first, equal ones in their order."""
    return np.argsort(-scores, kind="stable")[: len(scores) - int(np.isnan(scores).sum())]


def _in_words(said: Mapping[str, Values], count: int) -> list[str]:
    parts = [[f"{name} {value:.3g}" for value in values[:count]] for name, values in said.items()]
    return [", ".join(words) for words in zip(*parts, strict=True)] if parts else [""] * count
