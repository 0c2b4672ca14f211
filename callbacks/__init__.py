"""Lightning callbacks: everything around a training step that people see or keep."""

from facegen.callbacks.averages import StoredAverages
from facegen.callbacks.checkpoints import AtomicCheckpoints, Checkpoints
from facegen.callbacks.clock import StopAtKimg, due
from facegen.callbacks.parsing import ParsingGrids
from facegen.callbacks.reconstructions import ReconstructionFigures, ReconstructionGrids
from facegen.callbacks.renders import RenderGrids
from facegen.callbacks.samples import SampleGrids
from facegen.callbacks.ticks import Ticks

__all__ = [
    "AtomicCheckpoints",
    "Checkpoints",
    "ParsingGrids",
    "ReconstructionFigures",
    "ReconstructionGrids",
    "RenderGrids",
    "SampleGrids",
    "StopAtKimg",
    "StoredAverages",
    "Ticks",
    "due",
]
