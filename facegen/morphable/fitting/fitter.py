"""Fitting a morphable model to faces in pictures: analysis by synthesis, coarse to fine, a batch at a time."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.geometry.cameras import head_rotation
from facegen.morphable.fitting.descent import State, descend
from facegen.morphable.fitting.landmarks import LandmarkFit, Landmarks, fit_landmarks, moved
from facegen.morphable.fitting.linear import Pose, vertices_of
from facegen.morphable.fitting.photometric import Photographs, coefficients
from facegen.morphable.fitting.refine import Embed, Given, refine
from facegen.morphable.fitting.result import Arrived, Fit, conclude, draw_fits, evidence_of, nothing_drawn
from facegen.morphable.fitting.tables import Tables
from facegen.morphable.fitting.weights import DETECTED, Weights
from facegen.morphable.model import MorphableModel

Images = Float[Tensor, "batch 3 side side"] | UInt8[Tensor, "batch 3 side side"]
_UNIT = 224  # the side of the picture that noise is counted in
_ENOUGH = 1e-3
_WEIGHTS = Weights()
_LEAST_SIDE = 16


class Fitter:
    """Fits `model`, whose perspective must be that of the pictures (`model.with_perspective`).

    1. Landmarks: closed-form pose, then Gauss-Newton over pose, identity and expression. 2. With `photometric`, all
    coefficients from the pixels, at each of `sizes` in turn. 3. With `embed`, or where asked, Adam on the published
    losses.

    noise: standard deviation of landmarks in pixels of a 224-pixel picture. landmark_weights: (68, 2), `DETECTED` (the
    jaw's outline slides) or `EXACT`. weights: of the photometric energy. iterations: at most, per size. most_points:
    pixels of a face that are looked at. embed: a face network, pictures in [-1, 1] to features of unit length, whose
    cosine between photograph and render is a term of stage 3. adam_steps: of stage 3; None: 50 with `embed`, else none.
    draw: False leaves out renders, masks and depth (no pixels), which cost more than landmarks alone do. Works on the
    model's device.
    """

    def __init__(
        self,
        model: MorphableModel,
        *,
        noise: float = 1.5,
        landmark_weights: Float[Tensor, "landmark 2"] = DETECTED,
        photometric: bool = True,
        sizes: tuple[int, ...] = (56, 112),
        iterations: int = 5,
        most_points: int = 1500,
        weights: Weights = _WEIGHTS,
        embed: Embed | None = None,
        adam_steps: int | None = None,
        draw: bool = True,
    ) -> None:
        if not noise > 0:
            raise ValueError(f"Fitter: got noise={noise}, expected pixels above 0")
        if tuple(landmark_weights.shape) != (len(model.landmarks), 2):
            got = tuple(landmark_weights.shape)
            raise ValueError(f"Fitter: got landmark weights {got}, expected ({len(model.landmarks)}, 2)")
        self.model, self.noise, self.photometric = model, noise, photometric
        self.landmark_weights = landmark_weights.to(model.mean_shape.device)
        self.sizes, self.iterations, self.most_points, self.weights = sizes, iterations, most_points, weights
        self.draw = draw
        self.embed, self.adam_steps = embed, (50 if embed else 0) if adam_steps is None else adam_steps
        self.points = vertices_of(model, model.landmarks, torch.float64)
        self.tables = Tables(model)

    @torch.no_grad()
    def fit(
        self,
        images: Images | None = None,
        landmarks: Float[Tensor, "batch landmark 2"] | None = None,
        *,
        masks: Float[Tensor, "batch 1 side side"] | None = None,
        start: Float[Tensor, "batch coefficient"] | None = None,
    ) -> Fit:
        """Fit faces to square pictures ([-1, 1] or uint8), to landmarks (pixels, y down, (0, 0) the corner), or both.

        masks: how sure a pixel is skin, 0 to 1; without, everything that the face covers counts. start: coefficients to
        begin with, of a regressor or of an earlier fit; needed where there are no landmarks. Landmarks that are not
        finite, or lie outside of the picture for the most part, leave their face without a fit; the others go on.
        """
        self._check(images, landmarks, masks, start)
        side = self.model.perspective.size if images is None else images.shape[-1]
        found = None if landmarks is None else self._from_landmarks(landmarks, side, start)
        state = self._state(found, start)
        loss = torch.full_like(state[0][:, 0, 0], torch.nan) if found is None else found.cost
        iterations = torch.zeros(len(state[0]), dtype=torch.long) if found is None else found.iterations
        converged = torch.ones_like(iterations, dtype=torch.bool) if found is None else found.converged
        if images is not None and self.photometric:
            state, loss, converged, more = self._from_pixels(_unit_range(images), landmarks, masks, state)
            iterations = iterations + more.to(iterations)
        if images is not None and self.adam_steps:
            state, loss = self._refined(_unit_range(images), landmarks, masks, state, loss)
        arrived = Arrived(state, found, loss, converged, iterations, self._num_values)
        return self._concluded(arrived, images if self.photometric or self.adam_steps else None, side)

    def _concluded(self, arrived: Arrived, images: Images | None, side: int) -> Fit:
        fitted = coefficients(self.model, arrived.state)
        lost = ~fitted.isfinite().all(dim=1)
        wanted = self.draw or images is not None  # colours speak for failures
        drawn = draw_fits(self.model, fitted, lost, side) if wanted else nothing_drawn(fitted)
        evidence = evidence_of(arrived, None if images is None else _unit_range(images), drawn)
        drawn = drawn if self.draw else nothing_drawn(fitted)
        return conclude(arrived, fitted, drawn, self.points, self.model.perspective.at(side), evidence)

    def _check(
        self, images: Tensor | None, landmarks: Tensor | None, masks: Tensor | None, start: Tensor | None
    ) -> None:
        count = len(self.model.landmarks)
        if landmarks is None and start is None:
            raise ValueError(
                "Fitter.fit: got neither landmarks nor a start; give landmarks, or a regressor's coefficients"
            )
        if landmarks is not None and (landmarks.ndim != 3 or tuple(landmarks.shape[1:]) != (count, 2)):
            raise ValueError(f"Fitter.fit: got landmarks of shape {tuple(landmarks.shape)}, expected (N, {count}, 2)")
        if images is not None and (
            images.ndim != 4
            or images.shape[1] != 3
            or images.shape[2] != images.shape[3]
            or images.shape[3] < _LEAST_SIDE
        ):
            got = tuple(images.shape)
            raise ValueError(f"Fitter.fit: got images of shape {got}, expected (N, 3, S, S), S at least {_LEAST_SIDE}")
        if masks is not None and (images is None or masks.shape != (len(images), 1, *images.shape[2:])):
            raise ValueError(
                f"Fitter.fit: got masks of shape {tuple(masks.shape)}, expected (N, 1, S, S) as the images"
            )
        if start is not None:
            self.model.layout.split(start)
        given = {"images": images, "landmarks": landmarks, "start": start}
        sizes = {name: len(value) for name, value in given.items() if value is not None}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Fitter.fit: got {sizes} faces, expected the same number of each")

    def _given(self, landmarks: Tensor, side: int, size: int) -> Landmarks:
        """Landmarks of pictures of `side` pixels in those of `size`."""
        pixels = landmarks.to(self.points.mean) * (size / side)
        weights = self.landmark_weights.to(pixels).expand_as(pixels)
        return Landmarks(self.points, pixels, weights, self.model.perspective.at(size), self.noise * size / _UNIT)

    def _from_landmarks(self, landmarks: Tensor, side: int, start: Tensor | None) -> LandmarkFit:
        landmarks = landmarks.to(self.points.mean)
        inside = ((landmarks >= 0) & (landmarks <= side)).all(dim=-1).double().mean(dim=1)
        landmarks = torch.where((inside >= 0.5)[:, None, None], landmarks, torch.nan)
        begin = None
        if start is not None:
            rotation, translation, shape, _, _ = self._state(None, start)
            begin = (Pose(rotation.double(), translation.double()), shape.double())
        return fit_landmarks(self._given(landmarks, side, side), begin)

    def _state(self, found: LandmarkFit | None, start: Tensor | None) -> State:
        """Rotation, translation, shape, albedo and light to begin with."""
        model = self.model
        if start is None and found is not None:
            start = model.layout.zeros(len(found.shape), device=found.shape.device)
        assert start is not None
        parts = model.split(start.to(model.mean_shape))
        state = (head_rotation(parts.angle), parts.translation, torch.cat(parts[:2], dim=1), parts.albedo, parts.light)
        if found is None:
            return state
        return (*(value.to(state[0]) for value in (*found.pose, found.shape)), *state[3:])

    def _from_pixels(
        self, images: Tensor, landmarks: Tensor | None, masks: Tensor | None, state: State
    ) -> tuple[State, Tensor, Tensor, Tensor]:
        """Descend at each size; faces without a pose stay as they are."""
        known = torch.nonzero(torch.cat([part.flatten(1) for part in state], dim=1).isfinite().all(dim=1)).squeeze(1)
        images = images.to(self.model.mean_shape)
        side, here = images.shape[-1], tuple(part[known] for part in state)
        masks = torch.ones_like(images[:, :1]) if masks is None else masks.to(images)
        iterations = torch.zeros(len(known), dtype=torch.long, device=images.device)
        loss = images.new_full((len(images),), torch.nan)
        converged = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        for size in [min(size, side) for size in self.sizes]:
            given = None if landmarks is None else self._given(landmarks[known], side, size)
            images_now, masks_now = (F.interpolate(x[known], (size, size), mode="area") for x in (images, masks))
            photographs = self._photographs(images_now, masks_now, given, here[2])
            found = descend(here, photographs.equations, moved, self.iterations, _ENOUGH)
            here, iterations = found.state, iterations + found.iterations
            loss[known], converged[known] = found.equations.cost, found.converged
        whole = tuple(part.index_copy(0, known, new) for part, new in zip(state, here, strict=True))
        return whole, loss, converged, torch.zeros_like(converged, dtype=torch.long).index_copy(0, known, iterations)

    def _refined(
        self, images: Tensor, landmarks: Tensor | None, masks: Tensor | None, state: State, loss: Tensor
    ) -> tuple[State, Tensor]:
        """Adam from where the other stages ended, in pictures of the whole size."""
        now = coefficients(self.model, state)
        known = torch.nonzero(now.isfinite().all(dim=1)).squeeze(1)
        images = images.to(now)
        masks = torch.ones_like(images[:, :1]) if masks is None else masks.to(now)
        model = self.model.with_perspective(self.model.perspective.at(images.shape[-1]))
        given = Given(images[known], masks[known], None if landmarks is None else landmarks[known].to(now))
        found, losses = refine(model, now[known], given, self.embed, self.adam_steps)
        refined = self._state(None, now.index_copy(0, known, found))
        return refined, loss.to(now).index_copy(0, known, losses)

    def _photographs(self, images: Tensor, masks: Tensor, given: Landmarks | None, shape: Tensor) -> Photographs:
        layout = self.model.layout
        normals = self.model.normals_of(self.model.shape_of(*shape.split([layout.identity, layout.expression], dim=1)))
        how = (self.weights, self.most_points)
        return Photographs(self.model, self.tables, images, masks, given, *how, shape, normals)

    @property
    def _num_values(self) -> int:
        """Coordinates of landmarks that count."""
        return int((self.landmark_weights > 0).sum())


def _unit_range(images: Images) -> Float[Tensor, "batch 3 side side"]:
    """Display RGB in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else (images + 1) / 2
