"""Chosen faces become a recipe that the command line composes and training takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate

from facegen.cli import compose
from facegen.cli.commands import find
from facegen.curation.searching.recipes import write_recipe
from facegen.data import Recipe


def _composed(folder: Path, name: str) -> Recipe:
    command = find(["train"])[0]
    assert command is not None
    return instantiate(compose.checked(command, [f"data={name}", "resolution=16"], folder).data).recipe


def test_faces_of_two_sources_come_back(both: Recipe, tmp_path: Path) -> None:
    rows = np.array([7, 0, 3])
    command = write_recipe(both, rows, tmp_path / "my recipes" / "data" / "profiles.yaml")
    assert command == f"facegen train --config-dir '{tmp_path}/my recipes' data=profiles"
    again = _composed(tmp_path / "my recipes", "profiles")
    assert again.rows["id"].to_pylist() == [both.rows["id"][row].as_py() for row in sorted(rows)]
    assert not again.mirror and not again.labels


def test_settings_are_kept(recipe: Recipe, tmp_path: Path) -> None:
    spec = {"root": str(recipe.sources[0].root), "repeat": 3, "mirror": False}
    before = Recipe([spec], resolution=8, filter="box", mirror=True, convert=True, conditions=["quality"])
    write_recipe(before, np.array([1, 2]), tmp_path / "data" / "two.yaml")
    again = _composed(tmp_path, "two")
    assert (again.filter, again.mirror, again.convert, again.conditions) == ("box", True, True, ("quality",))
    assert again.repeats.tolist() == [3, 3] and again.mirrored.tolist() == [False, False]


def test_many_ids_stay_out_of_the_yaml(recipe: Recipe, tmp_path: Path) -> None:
    write_recipe(recipe, np.arange(8), tmp_path / "data" / "all.yaml")
    content = yaml.safe_load((tmp_path / "data" / "all.yaml").read_text())
    assert json.loads(Path(content["root"][0]["ids"]).read_text()) == recipe.rows["id"].to_pylist()


@pytest.mark.parametrize(
    "rows, path, message",
    [
        ([], "data/a.yaml", "no faces"),
        ([1], "a.yaml", "expected DIR/data/NAME.yaml"),
        ([1], "data/ffhq.yaml", "data=ffhq is one of facegen's own"),
    ],
)
def test_what_is_refused(recipe: Recipe, tmp_path: Path, rows: list[int], path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_recipe(recipe, np.array(rows, dtype=np.int64), tmp_path / path)
    assert not (tmp_path / path).exists()
