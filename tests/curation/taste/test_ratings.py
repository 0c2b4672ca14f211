"""The file of ratings: nothing lost, nothing overwritten, whatever happens to a process."""

import json
from pathlib import Path

import numpy as np
import pytest

from facegen.curation.taste.ratings import Rating, Ratings, aligned, as_rating
from tests.programs import in_processes

RATERS = ("anna", "ben")


def write_some(rank: int, path: Path) -> None:
    """What one of several processes does."""
    for number in range(200):
        Ratings(path).add(f"{number}-" + "x" * 300, number / 200, RATERS[rank])


@pytest.fixture
def ratings(tmp_path: Path) -> Ratings:
    return Ratings(tmp_path / ".described" / "ratings.jsonl")


def test_what_was_said_last_counts(ratings: Ratings) -> None:
    assert ratings.all() == [] and ratings.current() == {}
    for face, value, rater in [("a", 1, "anna"), ("a", "dislike", "anna"), ("a", "4/5", "ben"), ("b", "like", "anna")]:
        ratings.add(face, value, rater)
    assert ratings.current("anna") == {"a": 0.0, "b": 1.0}
    assert ratings.current() == {"a": 0.375, "b": 1.0}
    assert ratings.current("carl") == {}
    assert ratings.add("b", None, "anna").time.endswith("+00:00")
    assert ratings.current("anna") == {"a": 0.0}
    assert [each.rating for each in ratings.all()] == [1.0, 0.0, 0.75, 1.0, None]


@pytest.mark.parametrize(
    ("value", "number"), [("like", 1), (" Dislike", 0), ("1/5", 0), ("5/5", 1), (0.3, 0.3), (1, 1)]
)
def test_forms_of_a_rating(value: float | str, number: float) -> None:
    assert as_rating(value) == number


@pytest.mark.parametrize("value", ["good", "0/5", "6/5", "4/4", 1.5, -0.1, float("nan"), float("inf"), True, "", "/"])
def test_what_is_no_rating(ratings: Ratings, value: float | str) -> None:
    with pytest.raises(ValueError, match=r"rating: got .*expected 0 to 1, like, dislike, or stars"):
        ratings.add("a", value)
    assert not ratings.path.exists()


@pytest.mark.parametrize(("face", "rater"), [("", ""), ("x" * 2000, ""), ("a", "x" * 2000)])
def test_names_are_bounded(ratings: Ratings, face: str, rater: str) -> None:
    with pytest.raises(ValueError, match="expected text"):
        ratings.add(face, 1, rater)


def test_nothing_of_a_list_is_written_when_one_is_wrong(ratings: Ratings) -> None:
    with pytest.raises(ValueError, match="rating: got 7"):
        ratings.extend([Rating("a", 1.0), Rating("b", 7.0)])
    assert ratings.all() == []


def test_broken_lines_are_left_out_and_numbered(ratings: Ratings) -> None:
    ratings.add("a", 1)
    broken = ['{"id": "b", "rat', "[]", '{"id": "c", "rating": 2}', '{"id": 3, "rating": 1}', "\xff\x00", '{"id": "d"}']
    with ratings.path.open("ab") as file:
        file.write("\n".join(broken).encode("latin-1"))  # the last one without its end, as after a power cut
    ratings.add('line\nbreak "é\udcff', 0)
    assert ratings.current() == {"a": 1.0, 'line\nbreak "é\udcff': 0.0}
    assert ratings.broken() == [2, 3, 4, 5, 6, 7]


def test_several_processes_lose_nothing(ratings: Ratings) -> None:
    in_processes(write_some, ratings.path, count=len(RATERS))
    assert len(ratings.all()) == 400 and ratings.broken() == []
    for rater in RATERS:
        assert [json.dumps(each.rating) for each in ratings.all() if each.rater == rater] == [
            json.dumps(number / 200) for number in range(200)
        ]


def test_ratings_beside_faces() -> None:
    np.testing.assert_array_equal(aligned(["a", "b", "c"], {"c": 0.5, "a": 1.0, "gone": 0.0}), [1.0, np.nan, 0.5])
