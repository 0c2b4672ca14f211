"""Bringing models into the frame of Deep3DFaceRecon, in which `geometry.cameras.from_coefficients` is right.

Models have their own units and origins; x is to the right of the picture, y up and z to the viewer in all. The five
points of a model's mean face (`geometry.alignment_points.five_points`) are laid on those of Deep3DFaceRecon's mean face
by a scale and a shift of least squares. Which way a face looks that looks ahead is each model's convention, and the
five points do not tell: for ICT-FaceKit they would turn the head the wrong way, because its nose is shaped otherwise.
The angle has to be measured on photographs with published labels, and is an argument.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.alignment_points import FIVE_POINTS_3D, five_points
from facegen.geometry.cameras import head_rotation

_TINY = 1e-12


class Frame(NamedTuple):
    """x -> x @ linear + shift, for rows; `linear` is a scale times a rotation."""

    linear: Float[Tensor, "3 3"]
    shift: Float[Tensor, "3"]

    def points(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Points of the model in Deep3DFaceRecon's frame, decimetres."""
        return self.offsets(points) + self.shift.to(points)

    def offsets(self, offsets: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Differences of points, as modes are."""
        return offsets @ self.linear.to(offsets)


def frame_of(landmarks: Float[Tensor, "68 3"], nod: float = 0.0) -> Frame:
    """The frame from the 68 landmarks of a model's mean face, in its own frame.

    nod: radians by which the head is turned about the x axis first, as `head_rotation` counts; positive is chin down.
    """
    own = torch.from_numpy(five_points(landmarks.double().numpy()))
    theirs = torch.tensor(FIVE_POINTS_3D, dtype=torch.float64)
    rotation = head_rotation(torch.tensor([[nod, 0.0, 0.0]], dtype=torch.float64))[0]
    centred, target = (own - own.mean(dim=0)) @ rotation, theirs - theirs.mean(dim=0)
    scale = (centred * target).sum() / centred.square().sum().clamp(min=_TINY)
    linear = scale * rotation
    return Frame(linear, theirs.mean(dim=0) - own.mean(dim=0) @ linear)
