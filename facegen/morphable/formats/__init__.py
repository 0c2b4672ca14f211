"""Files of 3D morphable models, each read into a `Basis` in one frame, and of coefficients."""

from facegen.morphable.formats.arrays import ModelFile
from facegen.morphable.formats.packed import write_model
from facegen.morphable.formats.reading import load_model, read
from facegen.morphable.formats.reconstructions import (
    Reconstruction,
    parse_reconstruction,
    read_reconstruction,
    write_reconstruction,
)

__all__ = [
    "ModelFile",
    "Reconstruction",
    "load_model",
    "parse_reconstruction",
    "read",
    "read_reconstruction",
    "write_model",
    "write_reconstruction",
]
