"""Ratings that the page writes, and which face it shows next."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from facegen.curation.columns import described_folder
from facegen.curation.taste.ratings import FILE, Ratings
from facegen.data import Recipe, table
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.ratings import next_rows, rate

Make = Callable[..., Path]


def test_ratings_are_written_where_taste_reads_them(make_faces: Make) -> None:
    first, second = make_faces("a"), make_faces("b")
    faces = Faces(Recipe([first, second]))
    rate(faces, 2, 1.0, "")
    rate(faces, 24 + 3, 0.25, "ann")
    rate(faces, 24 + 3, None, "ann")
    rate(faces, 24 + 4, 0.5, "ann")
    assert Ratings(described_folder(first) / FILE).current() == {"img002": 1.0}
    assert Ratings(described_folder(second) / FILE).current("ann") == {"img004": 0.5}


def test_the_next_faces_are_chosen_by_embeddings_and_never_twice(make_faces: Make) -> None:
    faces = Faces(Recipe(make_faces()))
    among = np.arange(2, 24)
    first = next_rows(faces, among, "", 4)
    assert len(set(first.rows.tolist()) & set(among.tolist())) == 4
    assert "tell the most" in first.said
    for row in first.rows.tolist():
        rate(faces, row, float(row > 12), "")
    second = next_rows(faces, among, "", 18)
    assert sorted([*first.rows.tolist(), *second.rows.tolist()]) == among.tolist()
    assert second.said.startswith("4 faces")
    for row in second.rows.tolist():
        rate(faces, row, 1.0, "")
    assert len(next_rows(faces, among, "", 4).rows) == 0
    assert len(next_rows(faces, among, "somebody else", 4).rows) == 4


def test_faces_without_embeddings_are_drawn(make_faces: Make) -> None:
    root = make_faces()
    nothing = pa.table({"id": ["img000"], "embedding": pa.nulls(1, pa.list_(pa.float32(), 2))})
    table.set_columns(table.table_path(root), nothing)
    faces = Faces(Recipe({"root": root, "where": "quality > 0.5"}))
    drawn = next_rows(faces, np.arange(11), "", 4)
    assert len(set(drawn.rows.tolist())) == 4
    assert "at random" in drawn.said
    assert next_rows(faces, np.zeros(0, dtype=np.int64), "", 4).said == "no face is chosen"
