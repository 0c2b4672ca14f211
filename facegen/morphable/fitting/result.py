"""What comes out of a fit, and how it is put together."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from facegen.geometry.cameras import from_coefficients, head_angles
from facegen.geometry.perspective import Perspective
from facegen.morphable.fitting.confidence import pose_angles, pose_interval
from facegen.morphable.fitting.descent import State
from facegen.morphable.fitting.landmarks import LandmarkFit
from facegen.morphable.fitting.linear import Pose, SurfacePoints
from facegen.morphable.fitting.score import Evidence, failure_score
from facegen.morphable.model import MorphableModel
from facegen.morphable.render import render

_LEAST_CONTRAST = 1e-3


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


class Arrived(NamedTuple):
    """Where the stages of a fit ended. `found`: of the landmarks, where there are any."""

    state: State
    found: LandmarkFit | None
    loss: Float[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]
    num_values: int  # coordinates of landmarks that count


class Drawn(NamedTuple):
    """Pictures of N fits; of no pixels where they were not wanted."""

    renders: Float[Tensor, "batch 3 side side"]
    masks: Bool[Tensor, "batch 1 side side"]
    depth: Float[Tensor, "batch 1 side side"]


def draw_fits(model: MorphableModel, fitted: Tensor, lost: Tensor, side: int) -> Drawn:
    """Draw faces at a size; those that are lost leave it empty."""
    model = model.with_perspective(model.perspective.at(side))
    drawn = render(model, model(torch.where(lost[:, None], 0, fitted)))
    blank = lost[:, None, None, None]
    images, depth = torch.where(blank, -1, drawn.images.clamp(-1, 1)), torch.where(blank, 0, drawn.depth)
    return Drawn(images, drawn.masks & ~blank, depth)


def nothing_drawn(like: Tensor) -> Drawn:
    """Pictures without pixels."""
    empty = like.new_zeros(len(like), 3, 0, 0)
    return Drawn(empty, empty[:, :1].bool(), empty[:, :1])


def conclude(
    arrived: Arrived, fitted: Tensor, drawn: Drawn, points: SurfacePoints, perspective: Perspective, evidence: Evidence
) -> Fit:
    """The whole result. `points`: the landmarks on the surface; `perspective`: of the pictures."""
    rotation, translation, shape = arrived.state[:3]
    pose, row = Pose(rotation, translation), ~fitted.isfinite().all(dim=1, keepdim=True)
    double = Pose(*(part.double() for part in pose))
    landmarks = perspective.image_points(perspective.view(double.place(points.at(shape.double()))))
    interval = torch.full_like(translation, torch.nan)
    if arrived.found is not None:
        interval = pose_interval(arrived.found, arrived.num_values).rad2deg().to(interval)
    return Fit(
        coefficients=fitted.masked_fill(row, torch.nan),
        cameras=from_coefficients(head_angles(rotation), translation).masked_fill(row, torch.nan),
        landmarks=landmarks.to(fitted).masked_fill(row[..., None], torch.nan),
        renders=drawn.renders,
        masks=drawn.masks,
        depth=drawn.depth,
        loss=arrived.loss.to(fitted),
        pose_degrees=pose_angles(pose).rad2deg().masked_fill(row, torch.nan),
        interval_degrees=interval.masked_fill(row, torch.nan),
        score=failure_score(evidence).masked_fill(row[:, 0], 1.0),
        evidence=evidence,
        converged=arrived.converged.to(row.device) & ~row[:, 0],
        iterations=arrived.iterations,
    )


def evidence_of(arrived: Arrived, images: Float[Tensor, "batch 3 side side"] | None, drawn: Drawn) -> Evidence:
    """What speaks for failures. `images`: the photographs in [0, 1], where their pixels were fitted."""
    shape = arrived.state[2]
    nothing = torch.zeros_like(shape[:, 0])
    color = torch.full_like(nothing, torch.nan) if images is None else unexplained(images.to(drawn.renders), drawn)
    found = arrived.found
    landmarks = nothing if found is None else found.cost.to(nothing) / arrived.num_values
    return Evidence(landmarks, shape.square().mean(dim=1), color)


def unexplained(images: Float[Tensor, "batch 3 side side"], drawn: Drawn) -> Float[Tensor, " batch"]:
    """Mean distance of the colours drawn from a picture's in [0, 1], by the deviation of the picture's brightness.

    Both over the face. Dark, soft and hard light become comparable; a face drawn where there is none explains nothing.
    """
    area = drawn.masks.flatten(1).sum(dim=1).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return (values * drawn.masks).flatten(1).sum(dim=1) / area

    brightness = images.mean(dim=1, keepdim=True)
    centred = brightness - mean(brightness)[:, None, None, None]
    distance = ((drawn.renders + 1) / 2 - images).abs().mean(dim=1, keepdim=True)
    return mean(distance) / mean(centred.square()).sqrt().clamp(min=_LEAST_CONTRAST)
