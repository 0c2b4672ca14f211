"""The recipe behind the group `data` of a command that looks at images instead of training on them."""

from collections.abc import Sequence
from typing import Any

from hydra.utils import instantiate

from facegen.data import Recipe


def recipe_of(data: Any, resolution: int | None = None, labels: bool | None = None) -> Recipe:
    """Recipe of a composed `data` group; `resolution` and `labels` replace those it has.

    Raises ValueError where no data was chosen, and what `Recipe` raises.
    """
    if data is None:
        raise ValueError("data is missing: add data=NAME, or data=folder data.root=PATH; --help lists the names")
    given = {"resolution": resolution, "labels": labels}
    changes = {name: value for name, value in given.items() if value is not None}
    return instantiate(data, cache=False, **changes).recipe


_PLAIN = ("folder", "zip", "faces")  # configurations that have no dataset of their own to be called by


def titles(recipes: Sequence[Recipe], chosen: Sequence[str | None]) -> list[str]:
    """What to call recipes: their configurations, or their folders where it is one for any folder; all different."""
    found = [_title(recipe, name) for recipe, name in zip(recipes, chosen, strict=True)]
    return found if len(set(found)) == len(found) else [f"{title} ({n})" for n, title in enumerate(found, 1)]


def _title(recipe: Recipe, chosen: str | None) -> str:
    if chosen is not None and chosen not in _PLAIN:
        return chosen.replace(",", " + ")
    return " + ".join(recipe.source_names)
