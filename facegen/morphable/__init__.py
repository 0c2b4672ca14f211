"""3D morphable models: linear models of heads, the light on them, and fitting them to faces in pictures."""

from facegen.morphable.fitting import Fit, Fitter
from facegen.morphable.model import Face, MorphableModel

__all__ = ["Face", "Fit", "Fitter", "MorphableModel"]
