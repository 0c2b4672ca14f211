"""Chosen faces as a configuration that training takes."""

import json
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Int

from facegen.checkpoint import atomic_write
from facegen.curation.searching.candidates import candidate_rows
from facegen.data import Recipe

GROUP = "data"  # the folder, below a folder of configurations, in which the command line looks for recipes
_KEPT = {"labels": False, "mirror": False, "crop": None, "convert": False, "upscale": False, "filter": "lanczos"}
_OF_SOURCE = {"layout": None, "name": None, "repeat": 1, "mirror": None}


def write_recipe(recipe: Recipe, rows: Int[np.ndarray, " face"], path: Path) -> str:
    """Write faces (rows of a recipe) as DIR/data/NAME.yaml, and return the command that trains on them.

    The ids lie beside it, `NAME.json` (`NAME.1.json`, ... of further sources). Labels, mirroring, conditions and what
    is done to pixels stay as the recipe has them; it is not rebalanced, for that is about all of its faces.
    Raises ValueError for no faces, for a path of another kind, and for the name of a recipe of facegen's, which would
    come first.
    """
    folder, name = path.absolute().parent, path.stem
    if folder.name != GROUP or path.suffix != ".yaml":
        raise ValueError(f"recipe: got {path}, expected DIR/{GROUP}/NAME.yaml")
    if files("facegen.configs").joinpath(GROUP, path.name).is_file():
        raise ValueError(f"recipe: data={name} is one of facegen's own; choose another name")
    if not len(rows):
        raise ValueError("recipe: got no faces, expected at least one")
    chosen = np.zeros(len(recipe.rows), dtype=bool)
    chosen[rows] = True
    sources = []
    for number, (spec, part) in enumerate(zip(recipe.specs, candidate_rows(recipe), strict=True)):
        taken = part.rows[chosen[part.recipe_rows[part.rows]]]
        if not len(taken):
            continue
        listed = folder / (f"{name}.{number}.json" if number else f"{name}.json")
        _write(listed, json.dumps(part.ids.take(taken).to_pylist(), indent=0))
        settings = {key: getattr(spec, key) for key, usual in _OF_SOURCE.items() if getattr(spec, key) != usual}
        root = Path(spec.root).expanduser().absolute()
        sources.append({"root": str(root), **settings, "ids": str(listed)})
    settings: dict[str, Any] = {
        key: getattr(recipe, key) for key, usual in _KEPT.items() if getattr(recipe, key) != usual
    }
    settings |= {"conditions": list(recipe.conditions)} if recipe.conditions else {}
    command = f"facegen train --config-dir {shlex.quote(str(folder.parent))} data={name}"
    content = yaml.safe_dump({"defaults": ["folder", "_self_"], "root": sources, **settings}, sort_keys=False)
    _write(path, f"# {int(chosen.sum())} chosen faces of {len(recipe.rows)}. {command}\n{content}")
    return command


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
