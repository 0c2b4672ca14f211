"""Perceptual path length (PPL, Karras et al. 2019 and 2020): how smoothly pictures follow their latents."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from facegen.losses.perceptual import PerceptualDistance
from facegen.metrics.means import Estimate, estimate
from facegen.networks.eg3d import TriPlaneGenerator

EPSILON, LARGEST_SIDE = 1e-4, 256
Draw = Callable[..., Tensor]


@torch.no_grad()
def path_pairs(
    generator: Any,
    z0: Float[Tensor, "batch z_dim"],
    z1: Float[Tensor, "batch z_dim"],
    t: Float[Tensor, " batch"],
    c: Float[Tensor, "batch c_dim"] | None = None,
    space: Literal["w", "z"] = "w",
    epsilon: float = EPSILON,
    noise_mode: str = "const",
    rand: Draw = torch.rand,
    randn: Draw = torch.randn,
) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 3 height width"]]:
    """Pictures at t and at t + epsilon on the paths from z0 to z1, in all else alike: label, noise, jitter of rays.

    t: uniform in [0, 1] for the whole path ("full"), 0 for its beginning ("end").
    space: `w` interpolates what the mapping makes, linearly; `z` the latents, on the sphere.
    """
    steps = torch.stack([t, t + epsilon])[..., None]
    if space == "z":
        ws = [generator.mapping(slerp(z0, z1, step), c) for step in steps]
    elif space == "w":
        begin, end = generator.mapping(z0, c), generator.mapping(z1, c)
        ws = [torch.lerp(begin, end, step[:, None]) for step in steps]
    else:
        raise ValueError(f"path length: got space {space!r}, expected w or z")
    settings: dict[str, Any] = {"noise_mode": noise_mode, "randn": _same_in_both_halves(randn)}
    if isinstance(generator, TriPlaneGenerator):
        assert c is not None
        settings["rand"] = _same_in_both_halves(rand)
        pictures = generator.synthesis(torch.cat(ws), torch.cat([c, c]), **settings).image
    else:
        pictures = generator.synthesis(torch.cat(ws), **settings)
    first, second = pictures.chunk(2)
    return first, second


def slerp(
    a: Float[Tensor, "batch z_dim"], b: Float[Tensor, "batch z_dim"], t: Float[Tensor, "batch 1"]
) -> Float[Tensor, "batch z_dim"]:
    """The point at t on the great circle from a to b, all of unit length (mappings normalise their input anyway)."""
    a, b = (F.normalize(x.double(), dim=1) for x in (a, b))
    cosine = (a * b).sum(dim=1, keepdim=True)
    angle = t.double() * torch.acos(cosine.clamp(-1, 1))
    across = F.normalize(b - cosine * a, dim=1)
    return (a * torch.cos(angle) + across * torch.sin(angle)).float()


def _same_in_both_halves(draw: Draw) -> Draw:
    def same(shape: Any, **options: Any) -> Tensor:
        half = draw((shape[0] // 2, *shape[1:]), **options)
        return torch.cat([half, half])

    return same


class PathLength(Metric):
    """PPL: mean over paths of distance / epsilon^2, without the values below the 1 % and above the 99 % quantile.

    distance: a squared perceptual distance, LPIPS (the published figures: VGG16's); its `name` belongs into the
    protocol. Pictures above 256 pixels are reduced first. The quantiles are observed values outside of the cut ones,
    so that at least 98 % of the values stay. Keeps one float64 per path.
    """

    full_state_update = False
    values: list[Tensor]

    def __init__(
        self, distance: PerceptualDistance, epsilon: float = EPSILON, trim: float = 0.01, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.distance, self.epsilon, self.trim = distance, epsilon, trim
        self.add_state("values", [], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(
        self, first: Float[Tensor, "batch 3 height width"], second: Float[Tensor, "batch 3 height width"]
    ) -> None:
        """Add pairs from `path_pairs`, not rounded to 8 bits: the difference is far below one step."""
        self.values.append(self.distance(_reduced(first), _reduced(second)).double() / self.epsilon**2)

    def compute(self) -> Estimate:
        """The mean of the values kept, with its standard error and their number."""
        if not len(self.values):
            raise ValueError("PathLength: got no paths, expected at least one")
        values = torch.cat(list(self.values)) if isinstance(self.values, list) else self.values
        return trimmed_mean(values, self.trim)


def _reduced(pictures: Tensor) -> Tensor:
    factor = pictures.shape[2] // LARGEST_SIDE
    return F.avg_pool2d(pictures, factor) if factor > 1 else pictures


def trimmed_mean(values: Float[Tensor, " value"], trim: float) -> Estimate:
    """Mean of the values from the `trim` quantile (rounded down to a value) to the 1 - `trim` one (rounded up)."""
    values = values.to(torch.float64)
    low = torch.quantile(values, trim, interpolation="lower")
    high = torch.quantile(values, 1 - trim, interpolation="higher")
    kept = values[(values >= low) & (values <= high)]
    return estimate(kept.sum(), kept.square().sum(), torch.tensor(float(len(kept)), dtype=torch.float64))
