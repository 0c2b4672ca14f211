"""Recipes that the page writes."""

from pathlib import Path

import pytest

from facegen.explore.rooms.data.saving import recipe_path


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "A", "a" * 65, "x\n", "-x", "é"])
def test_names_that_could_be_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name: got"):
        recipe_path(tmp_path, name)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = recipe_path(tmp_path, "profiles")
    assert path == tmp_path / "data/profiles.yaml"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        recipe_path(tmp_path, "profiles")
