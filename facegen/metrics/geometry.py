"""Whether the shape and the camera of a generated face are what its picture shows: EG3D's Depth and Pose.

Both compare the generator's own numbers with an estimate from the picture alone. The estimator is any callable
`FaceEstimator`; a fitted 3D morphable model is the usual one.
"""

import math
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from facegen.geometry.angles import view_angles
from facegen.geometry.cameras import split_label
from facegen.metrics.means import SampleMean


class FaceEstimate(NamedTuple):
    """What an estimator sees in pictures. A face that it does not find has an empty mask and a label of NaN."""

    labels: Float[Tensor, "batch 25"]  # cameras in the generator's world
    depth: Float[Tensor, "batch 1 height width"]  # distance to the camera's plane or centre, in any unit
    mask: Bool[Tensor, "batch 1 height width"]  # the face region, where depth is known


class FaceEstimator(Protocol):
    """Pictures to cameras, depths and masks: the hook for `DepthError` and `PoseError`."""

    def __call__(self, images: UInt8[Tensor, "batch 3 height width"]) -> FaceEstimate:
        """Estimates for square pictures."""
        ...


class DepthError(SampleMean):
    """Mean squared difference of depths, each of zero mean and unit variance on the face: 2 (1 - their correlation).

    0 for the same relief up to scale and shift, 1 for a flat one, 2 for one unrelated. Faces without two pixels in
    their mask are left out; the estimate's `num_values` says how many were compared.
    """

    def update(
        self,
        depth: Float[Tensor, "batch 1 height width"],
        estimated: Float[Tensor, "batch 1 height width"],
        mask: Bool[Tensor, "batch 1 height width"],
    ) -> None:
        """Add faces: the generator's depth and the one estimated from the picture, at one size."""
        if not depth.shape == estimated.shape == mask.shape or depth.ndim != 4 or depth.shape[1] != 1:
            raise ValueError(
                f"DepthError: got shapes {tuple(depth.shape)}, {tuple(estimated.shape)}, {tuple(mask.shape)}, "
                "expected three (N, 1, H, W)"
            )
        usable = mask.flatten(1).sum(dim=1) > 1
        self.add(depth_errors(depth[usable], estimated[usable], mask[usable]))


def depth_errors(
    depth: Float[Tensor, "batch 1 height width"],
    estimated: Float[Tensor, "batch 1 height width"],
    mask: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """The error of each face, in float64; a depth without variance is taken as 0 everywhere."""
    weights = mask.flatten(1).double()
    area = weights.sum(dim=1, keepdim=True)
    first, second = (_standardised(values.flatten(1).double(), mask.flatten(1), area) for values in (depth, estimated))
    return (first - second).square().sum(dim=1) / area[:, 0]


def _standardised(values: Tensor, mask: Tensor, area: Tensor) -> Tensor:
    values = values.masked_fill(~mask, 0)  # unknown depth may be NaN or infinite
    centred = (values - values.sum(dim=1, keepdim=True) / area).masked_fill(~mask, 0)
    deviation = (centred.square().sum(dim=1, keepdim=True) / area).sqrt()
    flat = deviation <= 1e-12 * values.abs().amax(dim=1, keepdim=True)
    return torch.where(flat, 0, centred / deviation)


class PoseError(SampleMean):
    """Mean squared difference of yaw, pitch and roll, in radians squared, between true and estimated cameras.

    One value per face: the mean over its three angles. Faces with a label that is not finite are left out.
    """

    def update(self, labels: Float[Tensor, "batch 25"], estimated: Float[Tensor, "batch 25"]) -> None:
        """Add faces: cameras that pictures were rendered from, and cameras estimated from the pictures."""
        if labels.shape != estimated.shape:
            raise ValueError(f"PoseError: got shapes {tuple(labels.shape)} and {tuple(estimated.shape)}")
        usable = estimated.isfinite().all(dim=1)
        difference = view_angles(labels[usable].double()) - view_angles(estimated[usable].double())
        turns = (difference + math.pi).remainder(2 * math.pi) - math.pi
        self.add(turns.square().mean(dim=1))


def rotation_degrees(
    labels: Float[Tensor, "batch 25"], estimated: Float[Tensor, "batch 25"]
) -> Float[Tensor, " batch"]:
    """The angle in degrees, 0 to 180, by which true and estimated cameras are turned to each other, in float64.

    Positions are not looked at. NaN for labels that are not finite.
    """
    first, second = (split_label(each.double())[0][:, :3, :3] for each in (labels, estimated))
    chord = (first - second).square().sum(dim=(1, 2)).sqrt() / math.sqrt(8)  # sin(angle / 2)
    return torch.rad2deg(2 * torch.asin(chord.clamp(max=1)))


def rotation_offset_degrees(labels: Float[Tensor, "batch 25"], estimated: Float[Tensor, "batch 25"]) -> float:
    """The turn in degrees that all estimated cameras share: that of the mean rotation between both worlds.

    The part of the pose error that is one constant between the frames of a generator and of an estimator. NaN without
    labels that are finite.
    """
    usable = (labels.isfinite() & estimated.isfinite()).all(dim=1)
    if not bool(usable.any()):
        return math.nan
    first, second = (split_label(each[usable].double())[0][:, :3, :3] for each in (labels, estimated))
    left, _, right = torch.linalg.svd((second @ first.mT).mean(dim=0))
    signs = torch.ones(3, dtype=left.dtype, device=left.device)
    signs[2] = torch.linalg.det(left @ right)  # the nearest rotation, never a reflection
    cosine = ((left * signs @ right).diagonal().sum() - 1) / 2
    return math.degrees(math.acos(float(cosine.clamp(-1, 1))))
