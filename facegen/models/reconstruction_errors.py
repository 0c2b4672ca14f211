"""How far found coefficients of a morphable model are from true ones, as lengths that can be compared."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.geometry.cameras import head_rotation
from facegen.geometry.perspective import Perspective
from facegen.morphable import spherical_harmonics
from facegen.morphable.coefficients import LIGHT, Coefficients
from facegen.morphable.model import MorphableModel

_EPS = 1e-12  # keeps the gradient of a distance finite where there is none
_DIRECTIONS = 64  # in which lights are compared


class Errors(NamedTuple):
    """How far found coefficients are from the true ones; each of N faces, as distances, not squared."""

    landmarks: Float[Tensor, " batch"]  # mean over the 68, in widths of the picture
    shape: Float[Tensor, " batch"]  # root mean square over vertices before the pose, decimetres
    rotation: Float[Tensor, " batch"]  # about the angle in radians: Frobenius norm of the difference by root 2
    translation: Float[Tensor, " batch"]  # decimetres
    albedo: Float[Tensor, " batch"]  # root mean square over vertices and channels, 1 is white
    light: Float[Tensor, " batch"]  # root mean square over directions and channels


class ErrorWeights(NamedTuple):
    """By which errors add up to the loss: in these units none of them drowns the others."""

    landmarks: float = 10.0
    shape: float = 5.0
    rotation: float = 2.0
    translation: float = 0.5
    albedo: float = 1.0
    light: float = 0.3


class ErrorMeasure(nn.Module):
    """Distances between two sets of coefficients of a model, without building its thousands of vertices.

    A root mean square over vertices is a quadratic form: the mean over v of |B_v d|^2 is d^T G d, where
    G = sum_v B_v^T B_v / V, for modes B and a difference d of coefficients.
    """

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        self.perspective: Perspective = model.perspective
        modes = torch.cat([model.identity, model.expression])
        buffers = {
            "shape_gram": _gram(modes),
            "albedo_gram": _gram(model.albedo) / 3,
            "landmarks": model.mean_shape[model.landmarks],
            "landmark_modes": modes[:, model.landmarks],
            "directions": spherical_harmonics.basis(F.normalize(_sphere(_DIRECTIONS), dim=1)),
        }
        self.shape_gram: Tensor
        self.albedo_gram: Tensor
        self.landmarks: Tensor
        self.landmark_modes: Tensor
        self.directions: Tensor
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, found: Coefficients, truth: Coefficients) -> Errors:
        """The errors of `found`."""
        turns = head_rotation(found.angle), head_rotation(truth.angle)
        shapes = [torch.cat([one.identity, one.expression], dim=1) for one in (found, truth)]
        places = [self._places(*one) for one in zip(shapes, turns, (found, truth), strict=True)]
        light = (found.light - truth.light).unflatten(1, LIGHT) @ self.directions.mT
        return Errors(
            _length(places[0] - places[1]).mean(dim=1),
            _root(((shapes[0] - shapes[1]) @ self.shape_gram * (shapes[0] - shapes[1])).sum(dim=1)),
            _length((turns[0] - turns[1]).flatten(1)) / 2**0.5,
            _length(found.translation - truth.translation),
            _root(((found.albedo - truth.albedo) @ self.albedo_gram * (found.albedo - truth.albedo)).sum(dim=1)),
            _root(light.square().mean(dim=(1, 2))),
        )

    def _places(self, shape: Tensor, turn: Tensor, pose: Coefficients) -> Float[Tensor, "batch 68 2"]:
        """Landmarks in widths of the picture."""
        points = self.landmarks + (shape @ self.landmark_modes.flatten(1)).unflatten(1, (-1, 3))
        camera = self.perspective.view(points @ turn + pose.translation[:, None])
        return self.perspective.image_points(camera) / self.perspective.size


def _gram(modes: Float[Tensor, "mode vertex 3"]) -> Float[Tensor, "mode mode"]:
    flat = modes.flatten(1).double()
    return (flat @ flat.mT / modes.shape[1]).to(modes.dtype)


def _sphere(count: int) -> Float[Tensor, "direction 3"]:
    """Directions that are spread evenly (a Fibonacci lattice)."""
    height = 1 - (2 * torch.arange(count) + 1) / count
    around = torch.arange(count) * (torch.pi * (3 - 5**0.5))
    radius = (1 - height.square()).sqrt()
    return torch.stack([radius * around.cos(), height, radius * around.sin()], dim=1)


def _root(squared: Tensor) -> Tensor:
    return (squared.clamp(min=0) + _EPS).sqrt()


def _length(difference: Tensor) -> Tensor:
    return _root(difference.square().sum(dim=-1))
