"""Which faces are most like a text, a picture or another face: cosines of the vectors that a model made of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64, Int64

from facegen.curation.embedding import MODEL, embedder
from facegen.curation.searching.candidates import Candidates, place_of
from facegen.curation.searching.query import Query, Space
from facegen.curation.searching.text_tower import embed_text
from facegen.data import Recipe, table
from facegen.data.asking import suggestion
from facegen.data.vectors import open_index

Vector = Float32[np.ndarray, " dim"]


class Vectors(NamedTuple):
    """A column of vectors: its name, how many numbers each has, and the model that made them where that is known."""

    name: str
    size: int
    model: str | None


class Similar(NamedTuple):
    """Rows of a recipe, most similar first, and their cosines."""

    rows: Int64[np.ndarray, " face"]
    cosines: Float64[np.ndarray, " face"]


def similar(
    recipe: Recipe, query: Query, space: Space, every: Sequence[Candidates], asked: Sequence[Candidates]
) -> Similar:
    """The `query.count` faces among `asked` that are most like what a query shows, without the face it names.

    every: all faces of the recipe's sources. Raises ValueError for sources whose vectors are missing or not of one
    model, and for a text or picture that the model cannot be asked about.
    """
    vectors = _common(every, space.column)
    itself = (-1, -1) if query.face is None else place_of(query.face, recipe, every)
    shown = [] if query.face is None else [_of_face(every[itself[0]], itself[1], vectors)]
    direction = np.mean(np.stack([*shown, *_embedded(query, space, vectors)]), axis=0)
    found = [Similar(np.zeros(0, np.int64), np.zeros(0))]
    for number, part in enumerate(asked):
        among = part.rows[part.rows != itself[1]] if number == itself[0] else part.rows
        if len(among):
            whole = len(among) == len(part.ids)
            matches = open_index(part.table, space.column).search(
                direction[None], query.count, None if whole else among
            )
            found.append(Similar(part.recipe_rows[matches.rows[0]], matches.similarity[0].astype(np.float64)))
    rows, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-cosines, kind="stable")[: query.count]
    return Similar(rows[order], cosines[order])


def _embedded(query: Query, space: Space, vectors: Vectors) -> list[Vector]:
    """Unit vectors of the picture and the text of a query, by the models of the faces' vectors."""
    found = []
    if query.image is not None:
        if vectors.model is None:
            raise ValueError(f"image: nothing says which model made the column {vectors.name}; ask with a face of it")
        weights = space.weights or (space.clip if vectors.model.startswith("clip") else None)
        found.append(embedder(vectors.model, weights)([query.image])[0])
    if query.text is not None:
        found.append(_of_text(query.text, space, vectors))
    if wrong := [len(vector) for vector in found if len(vector) != vectors.size]:
        raise ValueError(f"{vectors.name} has vectors of {vectors.size} numbers, but the model given makes {wrong[0]}")
    return found


def _of_text(text: str, space: Space, vectors: Vectors) -> Vector:
    if vectors.model is not None and not vectors.model.startswith("clip"):
        hint = "facegen data describe columns=[embedding] embedder=clip embeds them with one that does"
        raise ValueError(f"text: {vectors.name} was made by {vectors.model}, which knows no words; {hint}")
    if space.clip is None:
        raise ValueError("text: expected the folder of the CLIP that embedded the faces; give clip=FOLDER")
    return embed_text(text, space.clip)


def _of_face(part: Candidates, row: int, vectors: Vectors) -> Vector:
    value = table.take(part.table, [row], [vectors.name])[vectors.name][0].as_py()
    if value is None:
        raise ValueError(f"face: {part.ids[row]} has no {vectors.name}; see facegen data describe")
    vector = np.array(value, np.float32)
    return vector / np.linalg.norm(vector)


def _common(every: Sequence[Candidates], name: str) -> Vectors:
    """The column of vectors of all sources. Raises ValueError where one lacks it, or where they are of two models."""
    found = [_vectors(part, name) for part in every]
    for part, vectors in zip(every, found, strict=True):
        if vectors != found[0]:
            one, other = (f"{each.model} ({each.size} numbers)" for each in (found[0], vectors))
            raise ValueError(f"{name} is of {one} in {every[0].table}, of {other} in {part.table}; expected one model")
    return found[0]


def _vectors(part: Candidates, name: str) -> Vectors:
    schema = table.schema(part.table)
    if name not in schema.names:
        hint = f"{suggestion(name, schema.names)}; facegen data describe columns=[embedding] adds embeddings"
        raise ValueError(f"the faces of {part.table} have no {name}{hint}")
    field = schema.field(name)
    if not pa.types.is_fixed_size_list(field.type) or not pa.types.is_floating(field.type.value_type):
        raise ValueError(f"column: {name} of {part.table} holds {field.type}, expected vectors of numbers")
    model = (field.metadata or {}).get(MODEL)
    return Vectors(name, field.type.list_size, None if model is None else model.decode())
