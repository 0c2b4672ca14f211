"""Whether pictures show what they were asked to show, in numbers: errors of pose, landmarks, coefficients, renders."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torchmetrics import Metric

from facegen.metrics.means import Estimate, SampleMean, estimate

_OUTER_EYES = (36, 45)  # iBUG's outer corners of the eyes
_LEAST = 0.3  # of the landmarks' height: the least that counts as distance between the eyes, in profiles


class MeanError(SampleMean):
    """A mean over faces, those whose value is not finite left out: no face was found there."""

    def update(self, values: Float[Tensor, " batch"]) -> None:
        """Add faces."""
        self.add(values[values.isfinite()])

    def compute(self) -> Estimate:
        """The mean; NaN where there is none, which every process must learn in the same way."""
        return estimate(self.total, self.squares, self.count)


def landmark_errors(found: Float[Tensor, "batch 68 2"], asked: Float[Tensor, "batch 68 2"]) -> Float[Tensor, " batch"]:
    """Mean distance of 68 landmarks, in distances between the outer corners of the asked eyes; NaN where not found.

    Eyes of a face in profile are near each other: there 0.3 of the landmarks' height counts instead.
    Raises ValueError for other numbers of landmarks.
    """
    if found.shape != asked.shape or found.shape[1:] != (68, 2):
        raise ValueError(f"landmarks: got {tuple(found.shape)} and {tuple(asked.shape)}, expected two (N, 68, 2)")
    found, asked = found.double(), asked.double()
    left, right = (asked[:, corner] for corner in _OUTER_EYES)
    height = asked[..., 1].amax(dim=1) - asked[..., 1].amin(dim=1)
    eyes = torch.maximum((left - right).norm(dim=1), _LEAST * height)
    return (found - asked).norm(dim=-1).mean(dim=1) / eyes


def render_differences(
    images: UInt8[Tensor, "batch 3 side side"],
    renders: UInt8[Tensor, "batch 3 side side"],
    mask: Bool[Tensor, "batch 1 side side"],
) -> Float[Tensor, " batch"]:
    """Mean absolute difference inside the mask, 1 is black to white; NaN for an empty mask."""
    if images.shape != renders.shape or images.shape[2:] != mask.shape[2:]:
        shapes = ", ".join(str(tuple(each.shape)) for each in (images, renders, mask))
        raise ValueError(f"renders: got pictures, renders and masks of {shapes}, expected one size")
    difference = (images.double() - renders.double()).abs().mean(dim=1, keepdim=True) / 255
    return difference.masked_fill(~mask, 0).flatten(1).sum(dim=1) / mask.flatten(1).sum(dim=1)


def coefficient_errors(
    found: Float[Tensor, "batch coefficient"], asked: Float[Tensor, "batch coefficient"]
) -> Float[Tensor, " batch"]:
    """Root mean square over the coefficients of a face: standard deviations of people where those are the unit."""
    return (found.double() - asked.double()).square().mean(dim=1).sqrt()


class Sums(NamedTuple):
    """Of K coefficients over faces: found and asked ones, their squares and products, in that order."""

    values: Float[Tensor, "2 coefficient"]
    products: Float[Tensor, "3 coefficient"]


class CoefficientCorrelation(Metric):
    """The correlation of found and asked coefficients over faces, all coefficients of a kind together.

    Faces with values that are not finite are left out.
    """

    full_state_update = False
    values: Tensor
    products: Tensor
    count: Tensor

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, shape in (("values", (2, size)), ("products", (3, size)), ("count", ())):
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, found: Float[Tensor, "batch coefficient"], asked: Float[Tensor, "batch coefficient"]) -> None:
        """Add faces. Raises ValueError for other numbers of coefficients."""
        if found.shape != asked.shape or found.shape[1] != self.values.shape[1]:
            expected = f"two (N, {self.values.shape[1]})"
            raise ValueError(f"coefficients: got {tuple(found.shape)} and {tuple(asked.shape)}, expected {expected}")
        usable = found.isfinite().all(dim=1) & asked.isfinite().all(dim=1)
        x, y = found[usable].double(), asked[usable].double()
        self.values += torch.stack([x.sum(dim=0), y.sum(dim=0)])
        self.products += torch.stack([x.square().sum(dim=0), y.square().sum(dim=0), (x * y).sum(dim=0)])
        self.count += len(x)

    def compute(self) -> Tensor:
        """-1 to 1; 0 where one side does not vary; NaN below two faces."""
        return correlation(Sums(self.values, self.products), self.count)


def correlation(sums: Sums, count: Tensor) -> Tensor:
    """Pearson's correlation of numbers that are centred coefficient by coefficient, then pooled."""
    mean = sums.values / count
    found = (sums.products[0] - count * mean[0].square()).clamp(min=0).sum()
    asked = (sums.products[1] - count * mean[1].square()).clamp(min=0).sum()
    both = (sums.products[2] - count * mean[0] * mean[1]).sum()
    scale = (found * asked).sqrt()
    least = 1e-9 * (sums.products[0].sum() * sums.products[1].sum()).sqrt()  # what rounding leaves of no variance
    value = torch.where(scale > least, both / scale, 0.0)
    return torch.where(count > 1, value, torch.nan)
