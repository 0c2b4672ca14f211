"""Synthetic faces as a data set: `data=synthetic`, and what `facegen data synthesize` makes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegen.data.synthetic.recipes import synthetic_data, synthetic_recipe
    from facegen.data.synthetic.source import cache_folder, synthesize

__all__ = ["cache_folder", "synthesize", "synthetic_data", "synthetic_recipe"]
_HOMES = {name: "recipes" if name.startswith("synthetic") else "source" for name in __all__}


def __getattr__(name: str) -> Any:
    """Import on first use: processes that only render start without Lightning."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
