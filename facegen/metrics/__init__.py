"""What judges generators: sums over features as torchmetrics Metrics, and the pure maths on those sums."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegen.metrics.diversity import Diversity
    from facegen.metrics.extractors import Extractor, load_extractor
    from facegen.metrics.fid3d import FID3D
    from facegen.metrics.frechet import FrechetDistance, frechet_distance
    from facegen.metrics.geometry import DepthError, PoseError
    from facegen.metrics.kernel import KernelDistance, kernel_distance
    from facegen.metrics.neighbours import PrecisionRecall, density_coverage, precision_recall
    from facegen.metrics.path_length import PathLength
    from facegen.metrics.views import IdentitySimilarity

__all__ = [
    "FID3D",
    "DepthError",
    "Diversity",
    "Extractor",
    "FrechetDistance",
    "IdentitySimilarity",
    "KernelDistance",
    "PathLength",
    "PoseError",
    "PrecisionRecall",
    "density_coverage",
    "frechet_distance",
    "kernel_distance",
    "load_extractor",
    "precision_recall",
]
_HOMES = {
    "FID3D": "fid3d",
    "DepthError": "geometry",
    "Diversity": "diversity",
    "Extractor": "extractors",
    "FrechetDistance": "frechet",
    "IdentitySimilarity": "views",
    "KernelDistance": "kernel",
    "PathLength": "path_length",
    "PoseError": "geometry",
    "PrecisionRecall": "neighbours",
    "density_coverage": "neighbours",
    "frechet_distance": "frechet",
    "kernel_distance": "kernel",
    "load_extractor": "extractors",
    "precision_recall": "neighbours",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torchmetrics takes seconds, and the maths on its own needs torch only."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
