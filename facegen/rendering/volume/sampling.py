"""Where to look along a ray: stratified samples, then more of them where the first ones found something.

Mildenhall et al. 2020 (NeRF), sections 4 and 5.2, with the smoothing of mip-NeRF (Barron et al. 2021, section 3.1) as
EG3D does it. No gradient flows through the positions of samples.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_PADDING = 0.01  # weight of an empty stretch: none is left out altogether
_EPS = 1e-5


def sample_stratified(
    near: float | Float[Tensor, "batch ray 1"],
    far: float | Float[Tensor, "batch ray 1"],
    uniform: Float[Tensor, "batch ray sample"],
    disparity: bool = False,
) -> Float[Tensor, "batch ray sample"]:
    """One sample after each of equally spaced distances from `near` to `far`, moved by `uniform` in [0, 1) spacings.

    The last sample may lie beyond `far` by less than a spacing: the published code's choice, which weights were
    trained with. `disparity` spaces them equally in inverse distance.
    """
    count = uniform.shape[-1]
    if count < 2:
        raise ValueError(f"stratified samples: got {count} on a ray, expected at least 2")
    # Spaced in the published order of operations: high-frequency planes magnify the rounding of positions.
    spaced = {"steps": count, "dtype": uniform.dtype, "device": uniform.device}
    if disparity:
        t = torch.linspace(0, 1, **spaced) + uniform / (count - 1)
        return 1 / ((1 - t) / near + t / far)
    if isinstance(near, Tensor) or isinstance(far, Tensor):
        edges = near + torch.linspace(0, 1, **spaced) * (far - near)
    else:
        edges = torch.linspace(near, far, **spaced)
    return edges + uniform * ((far - near) / (count - 1))


def smooth_weights(weights: Float[Tensor, "*batch sample"]) -> Float[Tensor, "*batch sample"]:
    """Mean of the maxima over neighbours, plus a constant: wider than the weights, zero nowhere."""
    flat = weights.reshape(-1, 1, weights.shape[-1])
    widened = F.avg_pool1d(F.max_pool1d(flat, 2, stride=1, padding=1), 2, stride=1)
    return widened.reshape(weights.shape) + _PADDING


def sample_pdf(
    bins: Float[Tensor, "ray edge"], weights: Float[Tensor, "ray bin"], uniform: Float[Tensor, "ray sample"]
) -> Float[Tensor, "ray sample"]:
    """Invert the cumulative distribution of a piecewise constant density (NeRF, section 5.2) at `uniform` in [0, 1).

    `bins` are edges in increasing order. Edges after the one that ends the last weight are not used.
    """
    weights = weights + _EPS
    cdf = torch.cumsum(weights / weights.sum(dim=-1, keepdim=True), dim=-1)
    cdf = F.pad(cdf, (1, 0))
    above = torch.searchsorted(cdf, uniform.contiguous(), right=True)
    below = (above - 1).clamp_min(0)
    above = above.clamp_max(weights.shape[-1])
    cdf_below, bin_below = cdf.gather(-1, below), bins.gather(-1, below)
    width = cdf.gather(-1, above) - cdf_below
    width = width.where(width >= _EPS, width.new_ones([]))
    return bin_below + (uniform - cdf_below) / width * (bins.gather(-1, above) - bin_below)


@torch.no_grad()
def sample_importance(
    depths: Float[Tensor, "batch ray sample"],
    weights: Float[Tensor, "batch ray interval"],
    uniform: Float[Tensor, "batch ray fine"],
) -> Float[Tensor, "batch ray fine"]:
    """Distances drawn in proportion to the smoothed weights of the intervals between `depths`.

    As published, the first and the last interval take no part, and interval i is drawn between midpoints i - 1 and i.
    """
    middles = (depths[..., 1:] + depths[..., :-1]) / 2
    inner = smooth_weights(weights)[..., 1:-1]
    found = sample_pdf(middles.flatten(0, 1), inner.flatten(0, 1), uniform.flatten(0, 1))
    return found.reshape(uniform.shape)
