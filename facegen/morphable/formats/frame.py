"""Bringing models into the frame of Deep3DFaceRecon, in which `geometry.cameras.from_coefficients` is right.

Models have their own units and origins, but all have x to the right of the picture, y up and z to the viewer. The five
points of a model's mean face (`geometry.alignment_points.five_points`) are laid on those of Deep3DFaceRecon's mean face
by a scale and a shift of least squares. There is no rotation: which way a face looks that looks ahead is a convention
that five points, of which the nose's length is one, do not settle.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.alignment_points import FIVE_POINTS_3D, five_points


class Frame(NamedTuple):
    """x -> scale * x + shift."""

    scale: float
    shift: Float[Tensor, "3"]

    def points(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Points of the model in Deep3DFaceRecon's frame, decimetres."""
        return self.scale * points + self.shift.to(points)

    def offsets(self, offsets: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Differences of points, as modes are."""
        return self.scale * offsets


def frame_of(landmarks: Float[Tensor, "68 3"]) -> Frame:
    """The frame from the 68 landmarks of a model's mean face, in its own frame."""
    own = torch.from_numpy(five_points(landmarks.double().numpy()))
    theirs = torch.tensor(FIVE_POINTS_3D, dtype=torch.float64)
    centred = own - own.mean(dim=0)
    scale = float((centred * (theirs - theirs.mean(dim=0))).sum() / centred.square().sum().clamp(min=1e-12))
    return Frame(scale, theirs.mean(dim=0) - scale * own.mean(dim=0))
