"""Finding faces and their 68 landmarks: what a model is for the pipeline, and the ones that are known by name.

Models are arguments: whoever has better ones passes a `FaceModels` of their own.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

Pixels = UInt8[np.ndarray, "height width 3"]
Landmarks = Float[np.ndarray, "68 2"]


class Detection(NamedTuple):
    """A face: `box` left, upper, right, lower in pixels of the photograph, and how sure the detector is."""

    box: tuple[float, float, float, float]
    score: float


class Loaded(NamedTuple):
    """Functions of a photograph and its path: its faces, and the 68 landmarks (pixels, y down) of the one in a box.

    `landmarks` raises ValueError where it finds none.
    """

    detect: Callable[[Pixels, Path], list[Detection]]
    landmarks: Callable[[Pixels, Path, tuple[float, float, float, float]], Landmarks]


class FaceModels(NamedTuple):
    """A detector with its landmark model: how to load it in any process, and what is to be known about it.

    `load(*arguments)` is an importable function of hashable arguments. `name` is kept with what was found and changes
    whenever results can: version, or hash of weights. `terms` are shown once to whoever uses it.
    """

    name: str
    terms: str
    load: Callable[..., Loaded]
    arguments: tuple[Any, ...] = ()


@lru_cache(maxsize=1)
def loaded(models: FaceModels) -> Loaded:
    """The models, loaded once in a process; `loaded.cache_clear()` lets go of them."""
    return models.load(*models.arguments)


def named_models(name: str, weights: str | Path | None) -> FaceModels:
    """The models that `facegen data curate` knows: `dlib` and `mediapipe`.

    Raises ValueError for other names and missing files, ModuleNotFoundError with the command that installs a package.
    """
    if name == "dlib":
        from facegen.curation.dlib_models import dlib_models

        if weights is not None:
            raise ValueError(f"weights: got {weights}, but dlib's models come in a package; expected weights=null")
        return dlib_models()
    if name == "mediapipe":
        from facegen.curation.mediapipe_models import mediapipe_models

        return mediapipe_models(weights)
    raise ValueError(f"detector: got {name!r}, expected one of: dlib, mediapipe")
