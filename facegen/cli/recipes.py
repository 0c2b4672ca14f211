"""The recipe behind the group `data` of a command that looks at images instead of training on them."""

from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from facegen.data import Recipe


def recipe_of(data: DictConfig | None, resolution: int | None = None) -> Recipe:
    """Recipe of a composed `data` group; `resolution` replaces the one it has.

    Raises ValueError where no data was chosen, and what `Recipe` raises.
    """
    if data is None:
        raise ValueError("data is missing: add data=NAME, or data=folder data.root=PATH; --help lists the names")
    changes: dict[str, Any] = {} if resolution is None else {"resolution": resolution}
    return instantiate(data, cache=False, **changes).recipe
