"""Cameras, depths and landmarks of faces from their pictures alone: a morphable model, found by network or fitting."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from facegen.curation.models import FaceModels, loaded, named_models
from facegen.geometry.perspective import EG3D
from facegen.metrics.geometry import FaceEstimate
from facegen.morphable.fitting import Fitter
from facegen.morphable.model import MorphableModel
from facegen.morphable.regressor import Regressor, load_regressor
from facegen.morphable.views import face_view

_NO_FILE = Path("generated")  # detectors that look beside the photograph's file find nothing there


class Sight(NamedTuple):
    """What is seen in N pictures with a side of S pixels: NaN, and an empty mask, where no face was found."""

    coefficients: Float[Tensor, "batch coefficient"]
    identity: Float[Tensor, "batch identity"]  # of the coefficients, in standard deviations of people
    labels: Float[Tensor, "batch 25"]  # cameras; of their numbers the rotation is what a picture tells well
    renders: Float[Tensor, "batch 3 side side"]  # [-1, 1], -1 where no face is drawn
    depth: Float[Tensor, "batch 1 side side"]  # decimetres from the camera's plane
    mask: Bool[Tensor, "batch 1 side side"]  # the face region
    landmarks: Float[Tensor, "batch 68 2"]  # widths of the picture, y down, (0, 0) its upper left corner
    points: Float[Tensor, "batch 68 3"]  # the same before the camera, decimetres: x right, y down, z forward
    residual: Float[Tensor, " batch"]  # mean absolute difference of picture and render on the face, 1 is black to white
    score: Float[Tensor, " batch"]  # the fitter's probability that the fit failed; NaN without a fitter


class MorphableEstimator:
    """A `FaceEstimator` (see `metrics.geometry`): a network's coefficients, detected landmarks, a fit, or all of them.

    regressor: where a fit starts, and all there is without a fitter. detector: landmarks for the fitter. fitter:
    refines by landmarks and by the picture itself. Pictures have the camera of the model's perspective.
    Raises ValueError where nothing says where faces are.
    """

    def __init__(
        self, regressor: Regressor | None = None, detector: FaceModels | None = None, fitter: Fitter | None = None
    ) -> None:
        if regressor is None and (detector is None or fitter is None):
            raise ValueError("estimator: got no regressor; expected one, or a detector of landmarks with a fitter")
        if detector is not None and fitter is None:
            raise ValueError("estimator: got a detector without a fitter, which is what uses landmarks")
        self.regressor, self.detector, self.fitter = regressor, detector, fitter
        self.model: MorphableModel = regressor.model if regressor is not None else fitter.model  # type: ignore[union-attr]

    def to(self, device: torch.device | str) -> "MorphableEstimator":
        """With the network on a device. A fitter computes where its model is."""
        regressor = None if self.regressor is None else self.regressor.to(device)
        return MorphableEstimator(regressor, self.detector, self.fitter)

    def __call__(self, images: UInt8[Tensor, "batch 3 side side"]) -> FaceEstimate:
        """Labels, depth and masks for `DepthError` and `PoseError`."""
        sight = self.look(images)
        return FaceEstimate(sight.labels, sight.depth, sight.mask)

    @torch.no_grad()
    def look(self, images: UInt8[Tensor, "batch 3 side side"], batch_size: int = 16) -> Sight:
        """All that is known of square pictures, so many at a time; computed where the model is."""
        parts = [self._look(some.to(self.model.mean_shape.device)) for some in images.split(batch_size)]
        return Sight(*(torch.cat(values).to(images.device) for values in zip(*parts, strict=True)))

    def _look(self, images: UInt8[Tensor, "batch 3 side side"]) -> Sight:
        size, pictures = images.shape[-1], images / 127.5 - 1
        coefficients, score = self._coefficients(images, pictures)
        view = face_view(self.model, coefficients, size)
        difference = (view.images - pictures).abs().mean(dim=1, keepdim=True).masked_fill(~view.mask, 0) / 2
        area = view.mask.flatten(1).sum(dim=1)
        residual = torch.where(area > 0, difference.flatten(1).sum(dim=1) / area, torch.nan)
        return Sight(
            coefficients,
            self.model.split(coefficients).identity,
            view.labels,
            view.images,
            view.depth,
            view.mask,
            view.landmarks / size,
            view.points,
            residual,
            score,
        )

    def _coefficients(self, images: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        start = None if self.regressor is None else self.regressor.coefficients(pictures)
        if self.fitter is None:
            assert start is not None  # the constructor has seen to that
            return start, torch.full_like(start[:, 0], torch.nan)
        landmarks = None if self.detector is None else _landmarks(self.detector, images)
        fit = self.fitter.fit(pictures, landmarks, start=start)
        return fit.coefficients.to(pictures), fit.score.to(pictures)


def _landmarks(models: FaceModels, images: Tensor) -> Float[Tensor, "batch 68 2"]:
    """Landmarks of the surest face of each picture; NaN where there is none."""
    found = loaded(models)
    points = np.full((len(images), 68, 2), np.nan)
    for place, pixels in enumerate(np.ascontiguousarray(images.permute(0, 2, 3, 1).cpu().numpy())):
        with suppress(ValueError):  # no face, or no landmarks in its box
            surest = max(found.detect(pixels, _NO_FILE), key=lambda face: face.score)
            points[place] = found.landmarks(pixels, _NO_FILE, surest.box)
    return torch.from_numpy(points).to(images.device, torch.float32)


def estimator_of(
    regressor: str | Path | None,
    detector: str | None = None,
    detector_weights: str | Path | None = None,
    refine: bool = False,
    morphable: str | Path | None = None,
) -> MorphableEstimator:
    """The estimator of names: a folder with a network, a detector (`dlib`, `mediapipe`), and whether to fit as well.

    A detector always comes with a fit. morphable: the model; None: the network's, or the built-in one. Pictures have
    EG3D's camera, where no network says otherwise.
    Raises ValueError for names that mean nothing.
    """
    trained = None if regressor is None else load_regressor(regressor, morphable)
    models = None if detector is None else named_models(detector, detector_weights)
    if models is None and not refine:
        return MorphableEstimator(trained)
    model = trained.model if trained is not None else MorphableModel.load(morphable or "procedural")
    model = model if trained is not None else model.with_perspective(EG3D)
    return MorphableEstimator(trained, models, Fitter(model))
