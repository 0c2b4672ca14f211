"""What one visitor looks at."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegen.curation.searching import Query, Space
from facegen.data import Recipe
from facegen.explore.rooms.data.answers import answer, in_words
from facegen.explore.rooms.data.choice import RANK
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.view import View


async def nothing() -> None:
    pass


@pytest.fixture
def view(make_faces: Callable[..., Path]) -> View:
    return View(0, Faces(Recipe(make_faces())), nothing)


def test_a_condition_finds_all_and_leaves_the_order_alone(view: View) -> None:
    view.order = "quality"
    found = answer(view.faces, Query("not hat and quality < 0.5"), Space())
    assert found.rows.tolist() == [2, 4, 6, 8, 10]
    view.find(found.rows, found.by, found.scores, is_ranked=found.scores is not None)
    assert view.order == "quality"
    view.rows = found.rows
    assert view.captions()[0] == f"{2 / 24:.4g}"


def test_likeness_ranks_and_says_how_much(view: View) -> None:
    found = answer(view.faces, Query("quality > 0.5", face="img020"), Space())
    assert set(found.rows[:2].tolist()) == {19, 21} and 20 not in found.rows and found.rows.min() > 12
    view.find(found.rows, found.by, found.scores)
    assert view.order == RANK
    view.rows = found.rows
    assert view.captions()[0] == f"{math.cos(math.pi / 23):.3f}"
    view.forget()
    assert view.order is None and view.captions() == [""] * len(view.shown)


def test_what_narrows_the_choice_can_be_taken_back(view: View) -> None:
    view.ranges["quality"] = (0.5, math.inf)
    view.find(np.array([3]), "a search")
    assert [words for words, _ in view.wishes()] == ["0.5 ≤ quality", "a search"]
    for _, undo in view.wishes():
        undo()
    assert view.choice.ranges == {} and view.choice.found is None


def test_wrong_questions_are_answered_with_what_to_do(view: View) -> None:
    with pytest.raises(ValueError, match="did you mean quality"):
        answer(view.faces, Query("qualty > 1"), Space())
    with pytest.raises(ValueError, match="clip"):
        answer(view.faces, Query(text="a beard"), Space())


def test_queries_in_words() -> None:
    assert in_words(Query("a > 1", text="beard", face="x")) == "“beard”, like x, a > 1"
    assert len(in_words(Query("a" * 500))) < 70
