"""Feature extractors by name. Nothing is downloaded unless asked; `docs/extractors.md` says where weights come from."""

from importlib import import_module
from pathlib import Path
from typing import Any

from facegen.metrics.extractors.extractor import Extractor

__all__ = ["NAMES", "Extractor", "load_extractor"]

# name -> module that defines it: timm, dlib and the networks are imported for the one that is asked for
NAMES = {
    "efficientnet_lite0": "efficientnet",
}


def load_extractor(name: str, weights: Path | None = None, download: bool = False) -> Extractor:
    """The extractor `name`, on the CPU. `efficientnet_lite0@128` takes that input size instead of its own.

    weights: a local file instead of the known ones. download: get the known file when it is nowhere.
    Raises ValueError for an unknown name, and where weights are missing, damaged or of another network.
    """
    base, _, size = name.partition("@")
    if base not in NAMES:
        raise ValueError(f"extractor: got {name!r}, expected one of {', '.join(NAMES)}")
    options: dict[str, Any] = {}
    if size:
        if base != "efficientnet_lite0" or not size.isdigit():
            raise ValueError(f"extractor: got {name!r}; an input size is for efficientnet_lite0, as in @128")
        options["input_size"] = int(size)
    module = import_module(f"{__name__}.{NAMES[base]}")
    if base != "efficientnet_lite0":
        options["download"] = download
    return getattr(module, base)(weights=weights, **options)
