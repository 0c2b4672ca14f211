"""Points on a morphable model's surface as linear functions of shape coefficients, and how their pictures move."""

from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.geometry.perspective import Perspective
from facegen.morphable.model import MorphableModel


class Pose(NamedTuple):
    """Where heads are: rows of points are turned by `points @ rotation` and then moved."""

    rotation: Float[Tensor, "batch 3 3"]
    translation: Float[Tensor, "batch 3"]

    def place(self, points: Float[Tensor, "batch point 3"]) -> Float[Tensor, "batch point 3"]:
        """Points of the head in the camera's world."""
        return points @ self.rotation + self.translation[:, None]

    def turned(self, step: Float[Tensor, "batch 3"], moved: Float[Tensor, "batch 3"]) -> Self:
        """Turned further by the rotation vector `step` about the head's origin, in the camera's world, and moved."""
        return self._replace(rotation=self.rotation @ turn(step).mT, translation=self.translation + moved)


class SurfacePoints(NamedTuple):
    """Means and modes (identity, then expression) of P points, shared by all faces."""

    mean: Float[Tensor, "point 3"]
    modes: Float[Tensor, "mode point 3"]

    def at(self, shape: Float[Tensor, "batch mode"]) -> Float[Tensor, "batch point 3"]:
        """The points of faces with these shape coefficients."""
        return self.mean + (shape @ self.modes.flatten(1)).unflatten(1, (-1, 3))


def vertices_of(model: MorphableModel, rows: Int[Tensor, " point"], dtype: torch.dtype) -> SurfacePoints:
    """Some vertices of a model."""
    modes = torch.cat([model.identity[:, rows], model.expression[:, rows]])
    return SurfacePoints(model.mean_shape[rows].to(dtype), modes.to(dtype))


def turn(vector: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 3 3"]:
    """Matrices that turn columns by rotation vectors (Rodrigues)."""
    return torch.linalg.matrix_exp(cross_matrix(vector))


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrices whose product with a column is the cross product of the vector with it."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def image_slopes(camera: Float[Tensor, "batch point 3"], perspective: Perspective) -> Float[Tensor, "batch point 2 3"]:
    """Derivatives of pixels (x right, y down) with respect to points of the camera's world (x, y up, z to the viewer).

    `camera`: the points as `Perspective.view` gives them.
    """
    x, y, depth = camera.unbind(-1)
    scale, zero = perspective.focal / depth, torch.zeros_like(x)
    rows = [scale, zero, scale * x / depth, zero, -scale, -scale * y / depth]
    return torch.stack(rows, dim=-1).unflatten(-1, (2, 3))


def motion(
    slopes: Float[Tensor, "batch point row 3"],
    turned: Float[Tensor, "batch point 3"],
    modes: Float[Tensor, "batch point 3 mode"],
    rotation: Float[Tensor, "batch 3 3"],
) -> Float[Tensor, "batch point row parameter"]:
    """Derivatives of something with `slopes` in the camera's world: by a turn (3), a move (3), and the modes.

    `turned`: points turned, not moved; `modes`: of the points, in the head's frame.
    """
    by_turn = slopes @ -cross_matrix(turned)
    by_modes = (slopes @ rotation.mT[:, None]) @ modes
    return torch.cat([by_turn, slopes, by_modes], dim=-1)
