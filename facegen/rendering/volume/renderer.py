"""Two-pass volume rendering of a field (NeRF, section 5.2), a bounded number of rays at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from facegen.rendering.volume.marching import composite, mean_depth, point_weights, ray_weights
from facegen.rendering.volume.rays import Rays, box_intersection
from facegen.rendering.volume.sampling import sample_importance, sample_stratified

_POINTS_AT_ONCE = {"cpu": 2**15, "cuda": 2**21}  # what a cache holds; what leaves memory for others

Random = Callable[..., Tensor]


class Field(NamedTuple):
    """What a field says of points: features (the first three are colour) and raw density."""

    rgb: Float[Tensor, "batch point channel"]
    sigma: Float[Tensor, "batch point 1"]


class Rendering(NamedTuple):
    """What rays see: features in [-1, 1], mean distance, and how much of the light did not pass through."""

    features: Float[Tensor, "batch ray channel"]
    depth: Float[Tensor, "batch ray 1"]
    opacity: Float[Tensor, "batch ray 1"]


@dataclass(frozen=True)
class VolumeOptions:
    """How rays are sampled; names as in the published `rendering_kwargs`.

    ray_start, ray_end: distances from the camera in world units, or both `auto`: where a ray crosses the volume.
    depth_resolution: stratified samples on a ray; depth_resolution_importance: further ones where there is something.
    box_warp: side of the volume. white_back: empty space is white. density_noise: standard deviation added to raw
    densities.
    """

    ray_start: float | Literal["auto"] = 2.25
    ray_end: float | Literal["auto"] = 3.3
    depth_resolution: int = 48
    depth_resolution_importance: int = 48
    box_warp: float = 1.0
    disparity_space_sampling: bool = False
    white_back: bool = False
    density_noise: float = 0.0
    clamp_mode: Literal["softplus"] = "softplus"

    def __post_init__(self) -> None:
        if self.clamp_mode != "softplus":
            raise ValueError(f"clamp_mode: got {self.clamp_mode!r}, expected softplus, the only one that was published")
        if (self.ray_start == "auto") != (self.ray_end == "auto"):
            got = f"{self.ray_start!r} and {self.ray_end!r}"
            raise ValueError(f"ray_start, ray_end: got {got}, expected two distances or auto for both")
        if self.depth_resolution < 2 or self.depth_resolution_importance < 0 or self.box_warp <= 0:
            raise ValueError(
                f"volume: got depth_resolution={self.depth_resolution}, depth_resolution_importance="
                f"{self.depth_resolution_importance}, box_warp={self.box_warp}; expected at least 2, 0, and above 0"
            )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "VolumeOptions":
        """The entries of `rendering_kwargs` that concern rays."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in settings.items() if name in names})


def render(
    field: Callable[[Float[Tensor, "batch point 3"]], Field],
    rays: Rays,
    options: VolumeOptions,
    rand: Random | None = None,
    randn: Random | None = None,
    chunk: int | None = None,
) -> Rendering:
    """Features, distance and opacity of rays.

    `rand(shape, device=...)` and `randn` give uniform and normal numbers, by default PyTorch's. They are drawn for all
    rays at once, so `chunk` (rays at a time) does not change the result. By default chunks bound the memory of
    inference; while gradients are recorded there is one chunk, and a `chunk` given is computed again on the way back.
    As published, distances are clamped to the nearest and farthest sample of the whole batch.
    """
    batch, count, _ = rays.origins.shape
    device = rays.origins.device
    draws = _draw(options, batch, count, device, rand or torch.rand, randn or torch.randn)
    limits = _limits(rays, options)
    again = chunk is not None and torch.is_grad_enabled()
    if chunk is None and not torch.is_grad_enabled():
        chunk = max(_POINTS_AT_ONCE.get(device.type, 2**18) // (batch * options.depth_resolution), 1)
    parts = []
    for start in range(0, count, chunk or count):
        part = slice(start, start + (chunk or count))
        arguments = (
            field,
            Rays(*(value[:, part] for value in rays)),
            options,
            [value if isinstance(value, float) else value[:, part] for value in limits],
            {name: value[:, part] for name, value in draws.items()},
        )
        parts.append(checkpoint(_render, *arguments, use_reentrant=False) if again else _render(*arguments))
    features, depth, opacity, nearest, farthest = zip(*parts, strict=True)
    depths = torch.cat(depth, dim=1).clamp(torch.stack(nearest).min(), torch.stack(farthest).max())
    return Rendering(torch.cat(features, dim=1), depths, torch.cat(opacity, dim=1))


def _draw(
    options: VolumeOptions, batch: int, rays: int, device: torch.device, rand: Random, randn: Random
) -> dict[str, Tensor]:
    """All random numbers in the published order."""
    coarse, fine = [batch, rays, options.depth_resolution], [batch, rays, options.depth_resolution_importance]
    draws = {"coarse": rand(coarse, device=device)}
    if options.density_noise:
        draws["noise_coarse"] = randn(coarse, device=device) * options.density_noise
    if options.depth_resolution_importance:
        draws["fine"] = rand(fine, device=device)
        if options.density_noise:
            draws["noise_fine"] = randn(fine, device=device) * options.density_noise
    return draws


def _limits(rays: Rays, options: VolumeOptions) -> tuple[Any, Any]:
    """Distances between which rays are sampled: two numbers, or two (N, R, 1) tensors."""
    if options.ray_start != "auto":
        return float(options.ray_start), float(options.ray_end)
    near, far = box_intersection(rays, options.box_warp)
    hit = far > near
    if bool(hit.any()):
        # Rays that miss end at the farthest ENTRY: kept, because released weights were trained with it.
        far = far.where(hit, near[hit].max())
        near = near.where(hit, near[hit].min())
    return near, far


def _render(
    field: Callable[[Tensor], Field], rays: Rays, options: VolumeOptions, limits: list[Any], draws: dict[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    near, far = limits
    depths = sample_stratified(near, far, draws["coarse"], options.disparity_space_sampling)
    rgb, sigma = _look(field, rays, depths, draws.get("noise_coarse"))
    samples = [rgb]
    if options.depth_resolution_importance:
        weights = ray_weights(sigma.detach(), depths)
        fine = sample_importance(depths, weights, draws["fine"])
        rgb_fine, sigma_fine = _look(field, rays, fine, draws.get("noise_fine"))
        samples.append(rgb_fine)
        depths, order = torch.cat([depths, fine], dim=-1).sort(dim=-1)
        weights = ray_weights(torch.cat([sigma, sigma_fine], dim=-1).gather(-1, order), depths)
    else:
        order, weights = None, ray_weights(sigma, depths)
    points = point_weights(weights)
    depth, opacity = mean_depth(points, depths), weights.sum(-1, keepdim=True)
    if order is not None:  # weights go back to where the features are, which is far less than sorting features
        points = torch.zeros_like(points).scatter(-1, order, points)
    shares = points.split([part.shape[2] for part in samples], dim=-1)
    total = sum((share[..., None, :] @ part)[..., 0, :] for share, part in zip(shares, samples, strict=True))
    assert isinstance(total, Tensor)
    return composite(total, opacity, options.white_back), depth, opacity, depths.min(), depths.max()


def _look(
    field: Callable[[Tensor], Field], rays: Rays, depths: Tensor, noise: Tensor | None
) -> tuple[Float[Tensor, "batch ray sample channel"], Float[Tensor, "batch ray sample"]]:
    """Ask the field at distances along rays."""
    points = rays.origins[:, :, None] + depths[..., None] * rays.directions[:, :, None]
    found = field(points.flatten(1, 2))
    sigma = found.sigma.reshape(depths.shape)
    return found.rgb.unflatten(1, depths.shape[1:]), sigma if noise is None else sigma + noise
