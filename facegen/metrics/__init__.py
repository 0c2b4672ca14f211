"""What judges generators: sums over features as torchmetrics Metrics, and the pure maths on those sums."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegen.metrics.fid3d import FID3D
    from facegen.metrics.frechet import FrechetDistance, frechet_distance
    from facegen.metrics.kernel import KernelDistance, kernel_distance
    from facegen.metrics.neighbours import PrecisionRecall, density_coverage, precision_recall

__all__ = [
    "FID3D",
    "FrechetDistance",
    "KernelDistance",
    "PrecisionRecall",
    "density_coverage",
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
]
_HOMES = {
    "FID3D": "fid3d",
    "FrechetDistance": "frechet",
    "KernelDistance": "kernel",
    "PrecisionRecall": "neighbours",
    "density_coverage": "neighbours",
    "frechet_distance": "frechet",
    "kernel_distance": "kernel",
    "precision_recall": "neighbours",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torchmetrics takes seconds, and the maths on its own needs torch only."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
