"""The first pose of a head from its landmarks, in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.perspective import Perspective
from facegen.morphable.fitting.linear import Pose

_LEAST = 1e-6


def first_pose(
    points: Float[Tensor, "point 3"],
    pixels: Float[Tensor, "batch point 2"],
    weights: Float[Tensor, "batch point"],
    perspective: Perspective,
) -> Pose:
    """Scaled orthography by least squares (DeMenthon and Davis 1995), then the nearest rotation and its distance.

    `points` in the head's frame, `pixels` with y down. 1. The 2 x 3 affine map A from points to pixels. 2. Its polar
    factor gives two rows of the rotation, the mean of its singular values the scale s. 3. Distance = focal / s.
    """
    upright = pixels.new_tensor([1, -1]) * (pixels - perspective.center)  # y up, from the middle
    total = weights.sum(dim=1, keepdim=True).clamp(min=_LEAST)
    share = (weights / total)[..., None]
    middle, centre = (share * points).sum(dim=1, keepdim=True), (share * upright).sum(dim=1, keepdim=True)
    spread, seen = points - middle, upright - centre
    scatter = (share * spread).mT @ spread
    affine = torch.linalg.solve(scatter, (share * spread).mT @ seen).mT  # (N, 2, 3)
    left, scales, right = torch.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, :1], rows[:, 1:])], dim=1).mT
    scale = scales.mean(dim=1).clamp(min=_LEAST)
    distance = perspective.focal / scale
    offset = centre[:, 0] / scale[:, None]
    moved = torch.cat([offset, (perspective.distance - distance)[:, None]], dim=1)
    return Pose(rotation, moved - (middle @ rotation)[:, 0])
