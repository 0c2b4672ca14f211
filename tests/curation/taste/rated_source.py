"""A source of small pictures with embeddings, some of them missing, and a person's ratings."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from facegen.curation.taste import Ratings
from facegen.curation.taste.source import ratings_of
from facegen.data import table
from facegen.data.index import build_index
from tests.curation.taste.planted import planted

FACES, WITHOUT = 80, 3  # the last ones have no embedding


def make_source(root: Path, rated: int = 0, rater: str = "anna") -> Ratings:
    """Write pictures and a table; the first `rated` faces are rated by the planted taste. Returns their file."""
    person = planted(FACES, dim=8)
    root.mkdir()
    for face, chance in enumerate(person.chances):
        Image.new("RGB", (8, 8), (round(255 * chance), 60, 60)).save(root / f"{face:05d}.png")
    build_index(root)
    kept = pa.array(person.embeddings[: FACES - WITHOUT].ravel())
    vectors = pa.FixedSizeListArray.from_arrays(kept, person.embeddings.shape[1])
    ids = pa.array([f"{face:05d}" for face in range(FACES - WITHOUT)])
    table.set_columns(table.table_path(root), pa.table({"id": ids, "embedding": vectors}))
    ratings = ratings_of(root)
    for face in range(rated):
        ratings.add(f"{face:05d}", float(person.ratings[face]), rater)
    return ratings


def tastes(root: Path) -> np.ndarray:
    """The column, NaN where it is null."""
    return table.read(table.table_path(root), ["taste"])["taste"].to_numpy()
