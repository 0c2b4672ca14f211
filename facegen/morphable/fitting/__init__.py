"""Fitting morphable models to faces in pictures."""

from facegen.morphable.fitting.fitter import Fitter
from facegen.morphable.fitting.result import Fit
from facegen.morphable.fitting.weights import DETECTED, EXACT, PUBLISHED, Weights

__all__ = ["DETECTED", "EXACT", "PUBLISHED", "Fit", "Fitter", "Weights"]
