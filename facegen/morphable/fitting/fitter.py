"""Fitting a morphable model to faces in pictures: analysis by synthesis, coarse to fine, a batch at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from facegen.geometry.cameras import from_coefficients, head_angles, head_rotation
from facegen.morphable.fitting.confidence import pose_angles, pose_interval
from facegen.morphable.fitting.descent import State, descend
from facegen.morphable.fitting.landmarks import LandmarkFit, Landmarks, fit_landmarks, moved
from facegen.morphable.fitting.linear import Pose, vertices_of
from facegen.morphable.fitting.photometric import Photographs, coefficients
from facegen.morphable.fitting.refine import Embed, Given, refine
from facegen.morphable.fitting.score import Evidence, failure_score
from facegen.morphable.fitting.tables import Tables
from facegen.morphable.fitting.weights import DETECTED, Weights
from facegen.morphable.model import MorphableModel
from facegen.morphable.render import Render, render

Images = Float[Tensor, "batch 3 side side"] | UInt8[Tensor, "batch 3 side side"]
_UNIT = 224  # the side of the picture that noise is counted in
_ENOUGH = 1e-3
_WEIGHTS = Weights()
_LEAST_SIDE = 16


class Fit(NamedTuple):
    """N fitted faces. A face without a fit has NaN numbers, an empty mask and score 1."""

    coefficients: Float[Tensor, "batch coefficient"]
    cameras: Float[Tensor, "batch 25"]  # labels as EG3D makes them of such coefficients
    landmarks: Float[Tensor, "batch landmark 2"]  # of the fitted face, pixels, y down
    renders: Float[Tensor, "batch 3 side side"]  # [-1, 1], -1 behind the face
    masks: Bool[Tensor, "batch 1 side side"]
    depth: Float[Tensor, "batch 1 side side"]  # decimetres from the camera's plane, 0 behind the face
    loss: Float[Tensor, " batch"]  # the published energy at the end; without pictures the cost of the landmarks
    pose_degrees: Float[Tensor, "batch 3"]  # yaw, pitch, roll of the camera around the head, as `view_angles`
    interval_degrees: Float[Tensor, "batch 3"]  # half widths of their 90 % intervals; NaN without landmarks
    score: Float[Tensor, " batch"]  # probability that the fit failed: see `failure_score`
    evidence: Evidence  # what it rests on
    converged: Bool[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]

    @classmethod
    def joined(cls, fits: Sequence["Fit"]) -> "Fit":
        """Several batches as one."""
        parts = dict(zip(cls._fields, zip(*fits, strict=True), strict=True))
        evidence = Evidence(*(torch.cat(values) for values in zip(*parts.pop("evidence"), strict=True)))
        return cls(**{name: torch.cat(values) for name, values in parts.items()}, evidence=evidence)


class Fitter:
    """Fits `model`, whose perspective must be that of the pictures (`model.with_perspective`).

    1. Landmarks: closed-form pose, then Gauss-Newton over pose, identity and expression. 2. With `photometric`, all
    coefficients from the pixels, at each of `sizes` in turn. 3. With `embed`, or where asked, Adam on the published
    losses.

    noise: standard deviation of landmarks in pixels of a 224-pixel picture. landmark_weights: (68, 2), `DETECTED` (the
    jaw's outline slides) or `EXACT`. weights: of the photometric energy. iterations: at most, per size. most_points:
    pixels of a face that are looked at. embed: a face network, pictures in [-1, 1] to features of unit length, whose
    cosine between photograph and render is a term of stage 3. adam_steps: of stage 3; None: 50 with `embed`, else none.
    Works on the model's device.
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
    ) -> None:
        if not noise > 0:
            raise ValueError(f"Fitter: got noise={noise}, expected pixels above 0")
        if tuple(landmark_weights.shape) != (len(model.landmarks), 2):
            got = tuple(landmark_weights.shape)
            raise ValueError(f"Fitter: got landmark weights {got}, expected ({len(model.landmarks)}, 2)")
        self.model, self.noise, self.photometric = model, noise, photometric
        self.landmark_weights = landmark_weights.to(model.mean_shape.device)
        self.sizes, self.iterations, self.most_points, self.weights = sizes, iterations, most_points, weights
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
        shown = _unit_range(images) if images is not None and self.photometric else None
        return self._result(state, found, shown, loss, converged, iterations, side)

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

    def _result(
        self,
        state: State,
        found: LandmarkFit | None,
        images: Tensor | None,
        loss: Tensor,
        converged: Tensor,
        iterations: Tensor,
        side: int,
    ) -> Fit:
        model = self.model.with_perspective(self.model.perspective.at(side))
        fitted = coefficients(model, state)
        lost = ~fitted.isfinite().all(dim=1)
        shown = model(torch.where(lost[:, None], 0, fitted))
        drawn = render(model, shown)
        pose = Pose(*state[:2])
        evidence = self._evidence(state, found, images, drawn)
        row, blank = lost[:, None], lost[:, None, None, None]
        interval = torch.full_like(state[1], torch.nan)
        if found is not None:
            interval = pose_interval(found, self._num_values).rad2deg().to(interval)
        points = model.perspective.image_points(shown.camera[:, model.landmarks])
        return Fit(
            coefficients=fitted.masked_fill(row, torch.nan),
            cameras=from_coefficients(head_angles(pose.rotation), pose.translation).masked_fill(row, torch.nan),
            landmarks=points.masked_fill(row[..., None], torch.nan),
            renders=torch.where(blank, -1, drawn.images.clamp(-1, 1)),
            masks=drawn.masks & ~blank,
            depth=torch.where(blank, 0, drawn.depth),
            loss=loss.to(fitted),
            pose_degrees=pose_angles(pose).rad2deg().masked_fill(row, torch.nan),
            interval_degrees=interval.masked_fill(row, torch.nan),
            score=failure_score(evidence).masked_fill(lost, 1.0),
            evidence=evidence,
            converged=converged.to(lost.device) & ~lost,
            iterations=iterations,
        )

    @property
    def _num_values(self) -> int:
        """Coordinates of landmarks that count."""
        return int((self.landmark_weights > 0).sum())

    def _evidence(self, state: State, found: LandmarkFit | None, images: Tensor | None, drawn: Render) -> Evidence:
        nothing = torch.zeros_like(state[1][:, 0])
        color = torch.full_like(nothing, torch.nan)
        if images is not None:
            area = drawn.masks.flatten(1).sum(dim=1)
            distance = (drawn.images.add(1).div(2) - images.to(drawn.images)).abs().mean(dim=1, keepdim=True)
            color = (distance.clamp(max=1) * drawn.masks).flatten(1).sum(dim=1) / area.clamp(min=1)
        return Evidence(
            landmarks=nothing if found is None else found.cost.to(nothing) / self._num_values,
            shape=state[2].square().mean(dim=1),
            color=color,
        )


def _unit_range(images: Images) -> Float[Tensor, "batch 3 side side"]:
    """Display RGB in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else (images + 1) / 2
