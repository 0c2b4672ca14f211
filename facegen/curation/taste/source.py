"""Taste of a source: its ratings, its embeddings, and what follows from both."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from facegen.curation.columns import described_folder
from facegen.curation.taste.head import Head, Prediction
from facegen.curation.taste.ratings import FILE, STARS, WORDS, Rating, Ratings, aligned, as_rating
from facegen.data import table
from facegen.data.sources import list_source
from facegen.data.vectors import read_vectors

COLUMNS = ("taste", "taste_error")


class Rated(NamedTuple):
    """The faces of a source that have an embedding, and their ratings.

    `rows`: of the table. `ratings`: 0 to 1, NaN where there is none. `elsewhere`: how many ratings are of other faces.
    """

    table: Path
    ids: list[str]
    rows: Int[np.ndarray, " face"]
    embeddings: Float[np.ndarray, "face dim"]
    ratings: Float[np.ndarray, " face"]
    elsewhere: int


def ratings_of(root: str | Path, layout: str | None = None) -> Ratings:
    """The file of ratings of a source. Raises ValueError as `list_source` does."""
    return Ratings(described_folder(list_source(root, layout).path) / FILE)


def read_rated(root: str | Path, rater: str | None = None, layout: str | None = None) -> Rated:
    """Embeddings of an indexed source beside the ratings of one person, or of all.

    Raises ValueError for a source without embeddings.
    """
    place = table.table_path(list_source(root, layout).path)
    vectors = read_vectors(place)
    ids = table.read(place, ["id"])["id"].take(pa.array(vectors.rows)).to_pylist()
    unrated = Rated(place, ids, vectors.rows, vectors.matrix, np.full(len(ids), np.nan), 0)
    return with_ratings(unrated, ratings_of(root, layout).current(rater))


def with_ratings(rated: Rated, current: Mapping[str, float]) -> Rated:
    """The same faces with other ratings, by id."""
    ratings = aligned(rated.ids, current)
    return rated._replace(ratings=ratings, elsewhere=len(current) - int(np.isfinite(ratings).sum()))


def write_taste(rated: Rated, head: Head) -> Prediction:
    """Predict all faces and commit the columns `taste` and `taste_error`; null for faces without an embedding."""
    found = head.predict(rated.embeddings)
    values = {name: pa.array(numbers, pa.float32()) for name, numbers in zip(COLUMNS, found, strict=True)}
    table.set_columns(rated.table, pa.table({"id": pa.array(rated.ids, pa.string()), **values}))
    return found


def import_ratings(ratings: Ratings, path: Path, rater: str, known: set[str]) -> int:
    """Append the ratings of a CSV file with the columns id and rating (and rater, else `rater`); how many were new.

    Numbers above 1 say that all of them are 1 to 5 stars; else they are 0 to 1, or words as `as_rating` knows them.
    Raises ValueError, and adds nothing, for an id that is not `known` and for what is no rating.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"import: {path} cannot be read ({error}); expected a CSV file") from error
    if not rows or not {"id", "rating"} <= set(rows[0]):
        raise ValueError(f"import: {path} has no rows with the columns id and rating; expected a CSV file with both")
    stars = any(_number(row["rating"]) > 1 for row in rows)
    found = [_imported(row, line, stars, rater, known, path) for line, row in enumerate(rows, start=2)]
    by_rater = {each.rater: ratings.current(each.rater) for each in found}
    return len(ratings.extend(each for each in found if by_rater[each.rater].get(each.id) != each.rating))


def _imported(row: dict[str, str], line: int, stars: bool, rater: str, known: set[str], path: Path) -> Rating:
    text = (row["rating"] or "").strip()
    plain = stars and "/" not in text and text.lower() not in WORDS
    try:
        if row["id"] not in known:
            raise ValueError(f"id: got {row['id']!r}, which is no face of this source")
        return Rating(
            row["id"], as_rating(f"{text.removesuffix('.0')}/{STARS}" if plain else text), row.get("rater") or rater
        )
    except ValueError as error:
        raise ValueError(f"import: {path}, line {line}: {error}") from error


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
