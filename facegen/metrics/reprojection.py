"""Whether two views of one generated face are views of one shape: landmarks of the first, moved to the second.

A face fitted in one picture has depth only up to a scale about the camera: a larger head farther away gives the same
picture. This one freedom is taken out; everything else, the shape's relief and its pose before the camera, has to be
right for the points to meet.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from facegen.geometry.cameras import LABEL_SCALE, split_label
from facegen.geometry.projection import world_to_camera

_OUTER_EYES = (36, 45)  # iBUG's outer corners of the eyes
_SCALE_RANGE = (0.5, 2.0)  # of the scale that a model in decimetres should have


class Reprojection(NamedTuple):
    """N pairs of views, in widths of the picture; NaN where a face was not found."""

    distance: Float[Tensor, " batch"]  # mean over the landmarks
    interocular: Float[Tensor, " batch"]  # between the outer corners of the eyes, as if seen from in front
    scale: Float[Tensor, " batch"]  # world units in a unit of the points


def reproject(
    points: Float[Tensor, "batch 68 3"],
    observed: Float[Tensor, "batch 68 2"],
    first: Float[Tensor, "batch 25"],
    second: Float[Tensor, "batch 25"],
) -> Reprojection:
    """How far landmarks of one view fall from those of another.

    points: landmarks before the first camera (x right, y down, z forward). observed: landmarks in the second picture,
    which spans [0, 1] with (0, 0) in the upper left corner. first, second: cameras that the pictures were made from.

    1. X = s R p + t: points before the second camera, where (R, t) is its known pose relative to the first.
    2. s, the scale that one view leaves open, by linear least squares of X_xy f = (u - c) X_z (the equation of
       projection times depth), kept within half and twice `LABEL_SCALE`.
    3. The distance of u from the projection of X.
    """
    relative = world_to_camera(second) @ split_label(first)[0]
    _, intrinsics = split_label(second)
    turned, shift = points @ relative[:, :3, :3].mT, relative[:, None, :3, 3]
    focal, centre = intrinsics.diagonal(dim1=1, dim2=2)[:, None, :2], intrinsics[:, None, :2, 2]
    offset = observed - centre
    slope = turned[..., :2] * focal - offset * turned[..., 2:]
    constant = offset * shift[..., 2:] - shift[..., :2] * focal
    scale = (slope * constant).sum(dim=(1, 2)) / slope.square().sum(dim=(1, 2)).clamp(min=1e-12)
    scale = scale.clamp(*(LABEL_SCALE * limit for limit in _SCALE_RANGE))
    moved = scale[:, None, None] * turned + shift
    projected = moved[..., :2] / moved[..., 2:] * focal + centre
    distance = (projected - observed).norm(dim=-1).mean(dim=1)
    left, right = (points[:, corner] for corner in _OUTER_EYES)
    interocular = scale * (left - right).norm(dim=-1) * focal[:, 0, 0] / moved[..., 2].mean(dim=1)
    return Reprojection(distance, interocular, scale)
