"""The feature network that a user names."""

from pathlib import Path

from facegen.metrics.extractors import Extractor, load_extractor


def extractor_of(name: str, weights: str | None, download: bool = False) -> Extractor:
    """`load_extractor`, and `pixels`, which is for trying things out."""
    if name == "pixels":
        from facegen.evaluation.pixels import pixel_extractor

        return pixel_extractor()
    return load_extractor(name, None if weights is None else Path(weights).expanduser(), download)
