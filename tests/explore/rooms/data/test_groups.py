"""Groups of near-duplicates."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from facegen.data import Recipe
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.groups import groups_of


def test_groups_come_largest_first_with_the_one_to_keep_in_front(make_faces: Callable[..., Path]) -> None:
    faces = Faces(Recipe(make_faces()))
    groups = groups_of(faces, np.arange(24))
    assert [groups.of(n).tolist() for n in range(len(groups))] == [[0, 1, 2], [4, 5]]


def test_a_group_is_whole_when_one_of_its_faces_is_chosen(make_faces: Callable[..., Path]) -> None:
    faces = Faces(Recipe(make_faces()))
    groups = groups_of(faces, np.array([5, 10]))
    assert [groups.of(n).tolist() for n in range(len(groups))] == [[4, 5]]
    assert len(groups_of(faces, np.array([10]))) == 0


def test_sources_have_groups_of_their_own(make_faces: Callable[..., Path]) -> None:
    faces = Faces(Recipe([make_faces("a"), make_faces("b")]))
    groups = groups_of(faces, np.arange(48))
    assert sorted(groups.of(n).tolist() for n in range(len(groups))) == [[0, 1, 2], [4, 5], [24, 25, 26], [28, 29]]
