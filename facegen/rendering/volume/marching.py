"""Compositing along rays: the mid-point rule of EG3D (Chan et al. 2022), after Max 1995."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_SHIFT = 1.0  # density = softplus(sigma - 1): networks start almost empty
_MIN_TRANSMITTANCE = 1e-10


def ray_weights(
    sigma: Float[Tensor, "batch ray sample"], depths: Float[Tensor, "batch ray sample"]
) -> Float[Tensor, "batch ray interval"]:
    """Share of the light that comes from each interval between neighbouring samples, sorted by distance.

    The raw density of an interval is the mean of its ends, softplus(mean - 1) its density; alpha = 1 - exp(-density
    length), weight = alpha times the transmittance of everything before it.
    """
    density = F.softplus((sigma[..., :-1] + sigma[..., 1:]) / 2 - _SHIFT)
    # Not expm1: what rounds to nothing weighs nothing, so that rays through empty space end at the far limit.
    alpha = 1 - torch.exp(-density * (depths[..., 1:] - depths[..., :-1]))
    transmittance = torch.cumprod(1 - alpha[..., :-1] + _MIN_TRANSMITTANCE, dim=-1)
    return alpha * F.pad(transmittance, (1, 0), value=1.0)


def point_weights(weights: Float[Tensor, "batch ray interval"]) -> Float[Tensor, "batch ray sample"]:
    """Weights of the samples when every interval has the mean value of its two ends."""
    return (F.pad(weights, (0, 1)) + F.pad(weights, (1, 0))) / 2


def composite(
    total: Float[Tensor, "batch ray channel"], opacity: Float[Tensor, "batch ray 1"], white_back: bool = False
) -> Float[Tensor, "batch ray channel"]:
    """From weighted sums of colours in [0, 1] to [-1, 1]; empty space is -1, or 1 with `white_back`."""
    if white_back:
        total = total + 1 - opacity
    return total * 2 - 1


def mean_depth(
    weights: Float[Tensor, "batch ray sample"], depths: Float[Tensor, "batch ray sample"]
) -> Float[Tensor, "batch ray 1"]:
    """Mean distance at which a ray ends; infinite where it meets nothing at all."""
    depth = (weights * depths).sum(dim=-1, keepdim=True) / weights.sum(dim=-1, keepdim=True)
    return depth.nan_to_num(float("inf"))


def march(
    colors: Float[Tensor, "batch ray sample channel"],
    sigma: Float[Tensor, "batch ray sample"],
    depths: Float[Tensor, "batch ray sample"],
    white_back: bool = False,
) -> tuple[Float[Tensor, "batch ray channel"], Float[Tensor, "batch ray 1"], Float[Tensor, "batch ray interval"]]:
    """Colour in [-1, 1], distance, and the weights of the intervals, of samples sorted by distance.

    Distances are clamped to the nearest and farthest sample of the whole batch, as published.
    """
    weights = ray_weights(sigma, depths)
    points = point_weights(weights)
    color = composite((points[..., None, :] @ colors)[..., 0, :], weights.sum(-1, keepdim=True), white_back)
    return color, mean_depth(points, depths).clamp(depths.min(), depths.max()), weights
