"""Face images on disk, read in place, as deterministic batches for training."""

from typing import TYPE_CHECKING, Any

from facegen.data.batch import FaceBatch
from facegen.data.recipe import Recipe
from facegen.data.sources import open_source

if TYPE_CHECKING:
    from facegen.data.datamodule import FaceDataModule

__all__ = ["FaceBatch", "FaceDataModule", "Recipe", "open_source"]


def __getattr__(name: str) -> Any:
    """Import Lightning, which takes seconds, only for those who train."""
    if name == "FaceDataModule":
        from facegen.data.datamodule import FaceDataModule

        return FaceDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
