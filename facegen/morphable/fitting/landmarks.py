"""Pose and shape from landmarks by damped Gauss-Newton."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from facegen.geometry.perspective import Perspective
from facegen.morphable.fitting.camera import first_pose
from facegen.morphable.fitting.descent import Equations, State, descend
from facegen.morphable.fitting.linear import Pose, SurfacePoints, image_slopes, motion

POSE = 6  # parameters of a pose: turn and move
_ROBUST = 3.0  # residuals beyond so many standard deviations count linearly (Huber 1964)
_ENOUGH = 1e-7
_NEAREST = 1.0  # decimetres: nothing is nearer to the camera


class LandmarkFit(NamedTuple):
    """Poses and shapes of N faces; NaN where landmarks were not finite or no face has them."""

    pose: Pose
    shape: Float[Tensor, "batch mode"]
    cost: Float[Tensor, " batch"]  # squared residuals in units of the noise, plus the squared coefficients
    information: Float[Tensor, "batch parameter parameter"]  # inverse covariance of turn (3), move (3), modes
    converged: Bool[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]


class Landmarks(NamedTuple):
    """Landmarks of N faces: the most probable face has normal coefficients, and pixels with normal noise.

    weights: of each landmark across and down the picture, 1 for the full one. noise: its standard deviation, pixels.
    """

    points: SurfacePoints
    pixels: Float[Tensor, "batch point 2"]  # y down
    weights: Float[Tensor, "batch point 2"]
    perspective: Perspective
    noise: float

    def take(self, rows: Int[Tensor, " some"]) -> "Landmarks":
        """Those of some faces."""
        return self._replace(pixels=self.pixels[rows], weights=self.weights[rows])

    def residuals(self, pose: Pose, shape: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels too far right and down (N, P, 2), and points seen from the camera and turned (N, P, 3)."""
        turned = self.points.at(shape) @ pose.rotation
        camera = self.perspective.view(turned + pose.translation[:, None])
        camera = torch.cat([camera[..., :2], camera[..., 2:].clamp(min=_NEAREST)], dim=-1)
        return self.perspective.image_points(camera) - self.pixels, camera, turned

    def data_equations(self, pose: Pose, shape: Tensor) -> Equations:
        """Of the landmarks alone: Huber's cost in units of the noise."""
        residuals, camera, turned = self.residuals(pose, shape)
        modes = self.points.modes.permute(1, 2, 0)[None]
        slopes = motion(image_slopes(camera, self.perspective), turned, modes, pose.rotation)
        length, limit = residuals.norm(dim=-1, keepdim=True).clamp(min=1e-12), _ROBUST * self.noise
        weights = self.weights / self.noise**2
        quadratic = weights * residuals.square()
        cost = torch.where(length <= limit, quadratic, weights * (2 * limit * length - limit**2) / 2)
        weighted = (slopes * (weights * (limit / length).clamp(max=1))[..., None]).flatten(1, 2)
        gradient = (weighted.mT @ residuals.flatten(1)[..., None]).squeeze(-1)
        return Equations(cost.flatten(1).sum(dim=1), gradient, weighted.mT @ slopes.flatten(1, 2))

    def equations(self, pose: Pose, shape: Tensor) -> Equations:
        """Of the landmarks and of the coefficients' normal distribution."""
        cost, gradient, matrix = self.data_equations(pose, shape)
        gradient[:, POSE:] += shape
        matrix.diagonal(dim1=1, dim2=2)[:, POSE:] += 1
        return Equations(cost + shape.square().sum(dim=1), gradient, matrix)


def fit_landmarks(
    landmarks: Landmarks, start: tuple[Pose, Float[Tensor, "batch mode"]] | None = None, most: int = 60
) -> LandmarkFit:
    """Begin with the closed-form pose of the mean shape, or with `start`; at most `most` iterations."""
    usable = landmarks.pixels.isfinite().flatten(1).all(dim=1)
    anything = landmarks.points.mean[:, :2].expand_as(landmarks.pixels)
    given = landmarks._replace(pixels=torch.where(usable[:, None, None], landmarks.pixels, anything))
    pose, shape = start or _start(given)

    def equations(rows: Tensor, state: State) -> Equations:
        return given.take(rows).equations(Pose(*state[:2]), state[2])

    found = descend((*pose, shape), equations, moved, most, _ENOUGH)
    rotation, translation, shape = found.state
    lost = ~usable | ~found.equations.cost.isfinite()
    rotation, translation, shape, cost, information = (
        values.masked_fill(lost.view(-1, *[1] * (values.ndim - 1)), torch.nan)
        for values in (rotation, translation, shape, found.equations.cost, found.equations.matrix)
    )
    fit = LandmarkFit(Pose(rotation, translation), shape, cost, information, found.converged, found.iterations)
    return fit._replace(converged=fit.converged & ~lost)


def moved(state: State, step: Float[Tensor, "batch parameter"]) -> State:
    """A state that begins with rotation and translation, and goes on with coefficients, after a step."""
    pose = Pose(state[0], state[1]).turned(step[:, :3], step[:, 3:POSE])
    sizes = [part.shape[1] for part in state[2:]]
    parts = zip(state[2:], step[:, POSE:].split(sizes, dim=1), strict=True)
    return (*pose, *(part + change for part, change in parts))


def _start(given: Landmarks) -> tuple[Pose, Float[Tensor, "batch mode"]]:
    shape = given.pixels.new_zeros(len(given.pixels), len(given.points.modes))
    return first_pose(given.points.mean, given.pixels, given.weights.mean(dim=-1), given.perspective), shape
