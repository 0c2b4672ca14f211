"""Ratings and embeddings of a source become columns."""

from pathlib import Path

import numpy as np
import pytest

from facegen.curation.taste import Ratings, fit
from facegen.curation.taste.source import import_ratings, read_rated, write_taste
from facegen.data import table
from tests.curation.taste.rated_source import FACES, WITHOUT, make_source, tastes


def test_columns_and_faces_without_an_embedding(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    ratings = make_source(root, rated=30)
    ratings.add("gone", 1)
    ratings.add(f"{FACES - 1:05d}", 1)
    rated = read_rated(root)
    assert len(rated.ids) == FACES - WITHOUT and rated.elsewhere == 2 and np.isfinite(rated.ratings).sum() == 30
    found = write_taste(rated, fit(rated.embeddings, rated.ratings))
    stored = tastes(root)
    np.testing.assert_allclose(stored[: FACES - WITHOUT], found.taste.astype(np.float32))
    assert np.isnan(stored[FACES - WITHOUT :]).all()
    assert set(table.matching(table.table_path(root), "taste > 0.5 and taste_error < 0.5")) == {
        face for face, taste, error in zip(rated.ids, *found, strict=True) if taste > 0.5 and error < 0.5
    }


def test_ratings_of_one_person(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    make_source(root, rated=10).add("00000", 0.25, "ben")
    assert np.isfinite(read_rated(root, "ben").ratings).sum() == 1
    assert np.isfinite(read_rated(root).ratings).sum() == 10


def imported(tmp_path: Path, text: str, known: tuple[str, ...] = ("a", "b", "c")) -> tuple[int, Ratings]:
    path, ratings = tmp_path / "ratings.csv", Ratings(tmp_path / "ratings.jsonl")
    path.write_text(text, encoding="utf-8")
    return import_ratings(ratings, path, "anna", set(known)), ratings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "0.5", "0"), (1, 0.5, 0)),
        (("1", "5", "3.0"), (0, 1, 0.5)),
        (("like", "2/5", "dislike"), (1, 0.25, 0)),
        (("2", "like", "1/5"), (0.25, 1, 0)),
    ],
)
def test_scales_of_a_file(tmp_path: Path, values: tuple[str, ...], expected: tuple[float, ...]) -> None:
    lines = [f"{value},{face}" for face, value in zip("abc", values, strict=True)]
    count, ratings = imported(tmp_path, "\n".join(["rating,id", *lines]))
    assert count == 3 and ratings.current("anna") == dict(zip("abc", expected, strict=True))


def test_a_file_twice_adds_nothing(tmp_path: Path) -> None:
    text = "id,rating,rater\na,1,\nb,0,ben\na,0.5,ben\n"
    assert imported(tmp_path, text)[0] == 3
    count, ratings = imported(tmp_path, text)
    assert count == 0 and ratings.current() == {"a": 0.75, "b": 0.0} and len(ratings.all()) == 3


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("id,rating\na,1\nd,1\n", "line 3: id: got 'd', which is no face"),
        ("id,rating\na,7\n", "line 2: rating: got '7/5'"),
        ("id,rating\na,3.5\n", "line 2: rating: got '3.5/5'"),
        ("id,rating\na,\n", "line 2: rating: got ''"),
        ("id,rating\na\n", "line 2: rating: got ''"),
        ("name,rating\na,1\n", "no rows with the columns id and rating"),
        ("", "no rows with the columns id and rating"),
        ('id,rating\n"a,1\n', "cannot be read"),
    ],
)
def test_mistakes_in_a_file_add_nothing(tmp_path: Path, text: str, answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        imported(tmp_path, text)
    assert not (tmp_path / "ratings.jsonl").exists()
