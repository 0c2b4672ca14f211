"""Which faces are chosen, in which order."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegen.data import Recipe
from facegen.explore.rooms.data.choice import RANK, Choice, chosen, said
from facegen.explore.rooms.data.faces import Faces


@pytest.fixture
def faces(make_faces: Callable[..., Path]) -> Faces:
    return Faces(Recipe(make_faces()))


def test_ranges_take_part_together_and_unknown_values_fit_none(faces: Faces) -> None:
    yaw = faces.numbers("yaw_degrees")
    rows = chosen(faces, Choice({"quality": (-math.inf, 0.5), "yaw_degrees": (0, math.inf)}))
    assert rows.tolist() == [row for row in range(1, 13) if yaw[row] >= 0]


def test_order_of_a_column_has_unknown_values_last(faces: Faces) -> None:
    assert chosen(faces, Choice({}, order="quality")).tolist() == [*range(23, -1, -1)]
    assert chosen(faces, Choice({}, order="quality", descending=False)).tolist() == [*range(1, 24), 0]


def test_a_search_keeps_its_rank_inside_ranges(faces: Faces) -> None:
    found = np.array([20, 3, 11, 8])
    assert chosen(faces, Choice({}, found, order=RANK)).tolist() == [20, 3, 11, 8]
    assert chosen(faces, Choice({"quality": (0.0, 0.5)}, found, order=RANK)).tolist() == [3, 11, 8]
    assert chosen(faces, Choice({}, found)).tolist() == [3, 8, 11, 20]


def test_near_duplicates_are_left_out_but_the_one_to_keep(faces: Faces) -> None:
    assert sorted(set(range(24)) - set(chosen(faces, Choice({}, alone=True)).tolist())) == [1, 2, 5]


def test_a_column_that_is_not_there_is_named(faces: Faces) -> None:
    with pytest.raises(ValueError, match="got 'beauty', expected one of numbers"):
        chosen(faces, Choice({"beauty": (0, 1)}))


@pytest.mark.parametrize(
    "bounds, words",
    [((1.0, 2.5), "1 ≤ a ≤ 2.5"), ((-math.inf, 3.0), "a ≤ 3"), ((3.0, math.inf), "3 ≤ a"), ((7.0, 7.0), "a = 7")],
)
def test_ranges_in_words(bounds: tuple[float, float], words: str) -> None:
    assert said("a", bounds) == words
