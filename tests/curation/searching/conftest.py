"""Recipes over the small sources."""

from pathlib import Path

import pytest

from facegen.data import Recipe
from tests.curation.searching.small_sources import make_source


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight faces with a table."""
    return make_source(tmp_path_factory.mktemp("one") / "one", 8, 1)


@pytest.fixture(scope="session")
def recipe(source: Path) -> Recipe:
    """All of them."""
    return Recipe(source, resolution=16)


@pytest.fixture(scope="session")
def both(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Those of it that look aside, and four others whose vectors are like the first ones of it."""
    other = make_source(tmp_path_factory.mktemp("two") / "two", 4, 1)
    return Recipe([{"root": source, "where": "yaw_degrees >= 20"}, {"root": other, "name": "b"}], resolution=16)
