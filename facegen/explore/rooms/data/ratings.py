"""Ratings of faces: where they are kept, and which face to rate next."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from facegen.curation.columns import described_folder
from facegen.curation.taste.choosing import next_to_rate
from facegen.curation.taste.ratings import FILE, Ratings, aligned
from facegen.data import table
from facegen.data.sources import Source
from facegen.explore.rooms.data.choice import Rows
from facegen.explore.rooms.data.faces import Faces, Place

EMBEDDING = "embedding"
_CONSIDERED = 4096  # faces among which the next ones are looked for


class Next(NamedTuple):
    """Rows to rate next, most telling first, and what is known so far, in words."""

    rows: Rows
    said: str


def ratings_of(source: Source) -> Ratings:
    """The file of a source's ratings; `facegen data taste` learns from it."""
    return Ratings(described_folder(source.root) / FILE)


def rate(faces: Faces, row: int, rating: float | None, rater: str) -> None:
    """Write down a rating in [0, 1], or take one back. Raises OSError where the source cannot be written."""
    place = faces.place(row)
    ratings_of(place.source).add(place.id, rating, rater)


def next_rows(faces: Faces, among: Rows, rater: str, count: int) -> Next:
    """Which of some faces to rate next: those whose ratings tell the most where embeddings are known, else any.

    With several sources, of that which most of these faces are of: each has its own ratings, and may have embeddings
    of its own kind.
    """
    if not len(among):
        return Next(among, "no face is chosen")
    sources = np.searchsorted(faces.starts, among, "right") - 1
    number = int(np.bincount(sources).argmax())
    source = faces.recipe.sources[number]
    rated = ratings_of(source).current(rater)
    said = f"{len(rated):,} faces of {source.name} rated"
    drawn = np.random.default_rng(len(rated)).permutation(among[sources == number])
    places = [faces.place(row) for row in drawn[:_CONSIDERED].tolist()]
    left = [n for n, place in enumerate(places) if place.id not in rated]
    chosen = _most_telling(faces, source, places, left, rated, count)
    said += "; these would tell the most" if chosen else "; drawn at random, for want of embeddings"
    chosen += [n for n in left if n not in chosen][: count - len(chosen)]
    return Next(drawn[np.array(chosen, dtype=np.int64)], said)


def _most_telling(
    faces: Faces, source: Source, places: list[Place], left: list[int], rated: dict[str, float], count: int
) -> list[int]:
    """Of the places `left`, those to rate next; none where no embedding is known."""
    if EMBEDDING not in faces.columns_of(source):
        return []
    ids = [places[n].id for n in left] + list(rated)
    rows = np.array([places[n].row for n in left] + faces.rows_in(source, list(rated)), dtype=np.int64)
    known, embeddings = _embeddings(source, rows)
    if not len(known):
        return []
    best = next_to_rate(embeddings, aligned([ids[n] for n in known.tolist()], rated), count)
    return [left[n] for n in known[best].tolist()]


def _embeddings(source: Source, rows: Rows) -> tuple[Rows, Float[np.ndarray, "known dim"]]:
    """Which of some rows of a table (-1: none) have an embedding, and what it is."""
    there = np.flatnonzero(rows >= 0)
    read = table.take(table.table_path(source.root), rows[there].tolist(), [EMBEDDING])[EMBEDDING].combine_chunks()
    vectors = read.drop_null()
    known = there[read.is_valid().to_numpy(zero_copy_only=False)]
    return known, vectors.flatten().to_numpy().reshape(len(vectors), read.type.list_size)
