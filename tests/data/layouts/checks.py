"""What the tests of a layout share: its findings on a folder, and damage to one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from facegen.data.layouts import Layout, Place
from facegen.data.listing import list_folder
from facegen.data.problems import Problem


class Damage(NamedTuple):
    """What is done to a dataset's folder, and kind, name and words of the only problem that it must make."""

    act: Callable[[Path], Any]
    kind: str
    id: str
    detail: str


def damages(cases: dict[str, Damage]) -> pytest.MarkDecorator:
    """Parametrise a test with `damage`."""
    return pytest.mark.parametrize("damage", [pytest.param(case, id=name) for name, case in cases.items()])


def place_of(layout: Layout, path: Path) -> Place:
    """Where a dataset lies that must be found."""
    place = layout.locate(path)
    assert place is not None
    return place


def ids_of(layout: Layout, place: Place) -> list[str]:
    """Ids of all images that have a name of the dataset."""
    names = [layout.face_id(entry.name) for entry in list_folder(place.images, "dataset.json").entries]
    return [name for name in names if name is not None]


def findings(layout: Layout, home: Path) -> list[Problem]:
    """Everything that indexing and validating say of a folder."""
    place = place_of(layout, home)
    ids = ids_of(layout, place)
    return [*layout.annotate(place, ids).problems, *layout.inspect(place, ids)]


def assert_named(layout: Layout, home: Path, damage: Damage) -> None:
    """A clean folder, damaged, gives exactly one problem, of one line."""
    assert findings(layout, home) == []
    damage.act(home)
    (problem,) = findings(layout, home)
    assert (problem.kind, problem.id) == (damage.kind, damage.id), problem
    assert damage.detail in problem.detail and "\n" not in problem.detail, problem


def truncate(path: Path) -> None:
    """A download that stopped in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
