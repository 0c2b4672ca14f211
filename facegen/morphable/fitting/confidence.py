"""How sure the pose of a fit is: yaw, pitch and roll with the intervals that landmarks leave them."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.angles import view_angles
from facegen.geometry.cameras import from_coefficients, head_angles
from facegen.morphable.fitting.landmarks import LandmarkFit
from facegen.morphable.fitting.linear import Pose

NINETY = 1.6449  # standard deviations to either side hold 90 % of a normal distribution
_STEP = 1e-4  # radians


def pose_angles(pose: Pose) -> Float[Tensor, "batch 3"]:
    """Yaw, pitch and roll in radians, as `view_angles` has them for the label of this pose."""
    return view_angles(from_coefficients(head_angles(pose.rotation), pose.translation))


def pose_interval(fit: LandmarkFit, num_values: int) -> Float[Tensor, "batch 3"]:
    """Half widths in radians of the intervals that hold yaw, pitch and roll in nine of ten faces.

    The posterior covariance of pose and shape (inverse of the Gauss-Newton matrix), its rows of the turn, propagated
    to the angles. Where the landmarks fit worse than their noise lets expect, it widens by the square root of the cost
    per value. `num_values`: coordinates of landmarks that count.
    """
    lost = fit.information.isnan().any(dim=(1, 2))
    information = torch.where(
        lost[:, None, None], torch.eye(fit.information.shape[1]).to(fit.information), fit.information
    )
    covariance = torch.linalg.inv(information)[:, :3, :3] * (fit.cost / num_values).clamp(min=1)[:, None, None]
    slopes = torch.stack([_slope(fit.pose, axis) for axis in range(3)], dim=-1)  # (N, angle, axis)
    variance = (slopes @ covariance @ slopes.mT).diagonal(dim1=1, dim2=2)
    return variance.clamp(min=0).sqrt() * NINETY


def _slope(pose: Pose, axis: int) -> Float[Tensor, "batch 3"]:
    """Derivatives of the three angles by a turn about an axis of the camera's world."""
    step = torch.zeros_like(pose.translation)
    step[:, axis] = _STEP
    still = torch.zeros_like(step)
    difference = pose_angles(pose.turned(step, still)) - pose_angles(pose.turned(-step, still))
    return ((difference + math.pi).remainder(2 * math.pi) - math.pi) / (2 * _STEP)
