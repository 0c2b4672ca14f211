"""How far a picture is from its target: what is minimised, and what is reported."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.models.inversion.pictures import Rendered

LARGEST = 256  # pixels; larger pictures are compared at this size, as the published programs do

Distance = Callable[[Tensor, Tensor], Tensor]


class Weights(NamedTuple):
    """Weights of the perceptual distance, of the mean square of pixels, and of that of the raw rendering."""

    perceptual: float = 1.0
    pixel: float = 0.0
    raw: float = 0.0


def shrink(images: Float[Tensor, "batch 3 height width"], side: int = LARGEST) -> Float[Tensor, "batch 3 h w"]:
    """Area-average images that are larger than `side`."""
    return F.interpolate(images, size=side, mode="area") if images.shape[-1] > side else images


def objective(
    targets: Float[Tensor, "batch 3 height width"], perceptual: Distance, weights: Weights
) -> Callable[[Rendered], tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]]:
    """A function from pictures to (weighted sum, perceptual distance) of each image."""
    small = shrink(targets)

    def measure(made: Rendered) -> tuple[Tensor, Tensor]:
        distance = perceptual(shrink(made.image), small)
        total = weights.perceptual * distance
        if weights.pixel:
            total = total + weights.pixel * _mean_square(made.image, targets)
        if weights.raw and made.raw is not None:
            # The rendering decides the geometry: without this the upsampling layers may explain the picture alone.
            total = total + weights.raw * _mean_square(made.raw, shrink(targets, made.raw.shape[-1]))
        return total, distance

    return measure


def _mean_square(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean(dim=(1, 2, 3))


def psnr(
    images: Float[Tensor, "batch 3 height width"], targets: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, " batch"]:
    """Peak signal-to-noise ratio in decibels of images in [-1, 1] (cut off there), at full size."""
    return 10 * torch.log10(4 / _mean_square(images.clamp(-1, 1), targets).clamp_min(1e-12))
