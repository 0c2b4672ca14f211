"""A fitter by plain words and numbers, so that it can be named in a stage and loaded in any process."""

import hashlib
import math
import multiprocessing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.geometry.perspective import DEEP3D
from facegen.morphable.fitting import Fit, Fitter
from facegen.morphable.model import MorphableModel
from facegen.morphable.regressor import Regressor, load_regressor

PROCEDURAL = "procedural"
_HALF = 0.5  # pixel: a fitter counts from the corner of the first one
_READ_AT_ONCE = 1 << 24


class Fitting(NamedTuple):
    """How faces are fitted; make it with `fitting_of`. Plain values: they decide what is known of a fit.

    `contents` is a hash of the files of `model` and `start`. `noise`: of landmarks, in pixels of the 224 crop.
    """

    model: str
    photometric: bool
    noise: float
    start: str | None
    contents: str


def fitting_of(
    model: str = PROCEDURAL, photometric: bool = True, noise: float = 1.5, start: str | None = None
) -> Fitting:
    """Check the settings of a fit.

    model: a file of a morphable model, or `procedural`. photometric: look at the pixels too, not only at landmarks.
    noise: standard deviation of landmarks in pixels of the crop. start: an export of a reconstruction network that
    says where fits begin. Raises ValueError for files that do not exist and numbers that cannot be.
    """
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 < noise < math.inf:
        raise ValueError(f"noise: got {noise!r}, expected the landmarks' standard deviation in pixels, such as 1.5")
    files = [] if model == PROCEDURAL else [_existing("morphable", model)]
    if start is not None:
        place = _existing("start", start)
        files += sorted(place.iterdir()) if place.is_dir() else [place]
    contents = _hashed([path for path in files if path.is_file()])
    if model == PROCEDURAL:
        from facegen.morphable.procedural import source_fingerprint

        contents = f"{source_fingerprint()} {contents}"
    paths = [value if value in (PROCEDURAL, None) else str(_existing("morphable", value)) for value in (model, start)]
    return Fitting(str(paths[0]), bool(photometric), float(noise), paths[1], contents)


def _existing(setting: str, value: str) -> Path:
    path = Path(value).expanduser().absolute()
    if not path.exists():
        kinds = {"morphable": "a morphable model's file, or procedural", "start": "an exported reconstruction network"}
        raise ValueError(f"{setting}: {value} does not exist; expected {kinds[setting]}")
    return path


def _hashed(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while data := file.read(_READ_AT_ONCE):
                digest.update(data)
    return digest.hexdigest()[:16]


class Loaded(NamedTuple):
    """A fitter on its device, and the network that says where fits begin."""

    fitter: Fitter
    start: Regressor | None
    device: torch.device

    @property
    def model(self) -> MorphableModel:
        """The morphable model, on the device."""
        return self.fitter.model

    def fit(self, images: UInt8[Tensor, "batch 3 side side"] | None, landmarks: Float[Tensor, "batch 68 2"]) -> Fit:
        """Fit crops; see `Fitter.fit`. Raises MemoryError where the device has too little memory.

        Landmarks, given and found, count as `similarity_crop` does: the centre of a pixel has whole coordinates.
        """
        images = None if images is None else images.to(self.device)
        try:
            start = None if self.start is None or images is None else self.start.coefficients(images / 127.5 - 1)
            fit = self.fitter.fit(images, landmarks.to(self.device) + _HALF, start=start)
            return fit._replace(landmarks=fit.landmarks - _HALF)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error


@lru_cache(maxsize=1)
def loaded_fitter(fitting: Fitting, device: str = "cpu") -> Loaded:
    """The fitter, loaded once in a process; `loaded_fitter.cache_clear()` lets go of it.

    Raises ValueError for files that hold something else, or a network for another morphable model.
    """
    if multiprocessing.parent_process() is not None:  # the processes share the CPUs
        torch.set_num_threads(1)
    place = torch.device(device)
    model = MorphableModel.load(fitting.model).to(place)
    seen = model.with_perspective(DEEP3D)
    fitter = Fitter(seen, noise=fitting.noise, photometric=fitting.photometric, draw=False)
    start = None if fitting.start is None else load_regressor(fitting.start, fitting.model).to(place)
    return Loaded(fitter, start, place)
