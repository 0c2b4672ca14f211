"""facegen: train, fit and judge face generators on curated face datasets."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Resolve `facegen.load` on first use, so that `import facegen` stays free of torch."""
    if name == "load":
        return import_module("facegen.checkpoint").load
    raise AttributeError(f"module 'facegen' has no attribute {name!r}")
