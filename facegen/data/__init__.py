"""Face images on disk, read in place, as deterministic batches for training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegen.data.batch import FaceBatch
    from facegen.data.datamodule import FaceDataModule
    from facegen.data.recipe import Recipe
    from facegen.data.sources import open_source

__all__ = ["FaceBatch", "FaceDataModule", "Recipe", "open_source"]
_HOMES = {"FaceBatch": "batch", "FaceDataModule": "datamodule", "Recipe": "recipe", "open_source": "sources"}


def __getattr__(name: str) -> Any:
    """Import on first use: processes that only decode images start without torch and Lightning."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
