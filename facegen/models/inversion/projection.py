"""Projection into W and W+: the latents whose picture is nearest to a given one."""

import copy
import math
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from facegen.losses.perceptual import perceptual_distance
from facegen.models.draws import Draws
from facegen.models.inversion.noise import noise_buffers, noise_regularization, normalize_noise, set_noise
from facegen.models.inversion.objective import Distance, Weights, objective
from facegen.models.inversion.pictures import check_inputs, conditioning_rows, synthesize

Space = Literal["w", "w+"]

# Karras et al. 2020, appendix D; lengths are shares of all steps
RAMP_UP, RAMP_DOWN, NOISE_RAMP = 0.05, 0.25, 0.75
_AT_ONCE = 1000  # latents mapped in one batch


class WStatistics(NamedTuple):
    """Mean of w, and its root mean square distance from the mean, for each image's conditioning."""

    mean: Float[Tensor, "batch w_dim"]
    deviation: Float[Tensor, " batch"]


class Inversion(NamedTuple):
    """Latents of N images, their pictures, optimised noise maps (empty where they were kept), and the loss."""

    ws: Float[Tensor, "batch num_ws w_dim"]
    images: Float[Tensor, "batch 3 height width"]
    noise: dict[str, Float[Tensor, "batch 1 side side"]]
    history: Float[Tensor, "step batch"]


@torch.no_grad()
def w_statistics(
    generator: Any, conditioning: Float[Tensor, "batch c_dim"], samples: int = 10_000, seed: int = 0
) -> WStatistics:
    """Statistics over mapped latents, the same latents for every image."""
    device = next(generator.parameters()).device
    z = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(device)
    kinds, which = conditioning[:1], torch.zeros(len(conditioning), dtype=torch.long, device=device)
    if conditioning.shape[1] > 0:
        kinds, which = torch.unique(conditioning, dim=0, return_inverse=True)
    means, deviations = [], []
    for kind in kinds:
        parts = [generator.mapping(part, kind.expand(len(part), -1))[:, 0] for part in z.split(_AT_ONCE)]
        w = torch.cat(parts).double()
        means.append(w.mean(dim=0))
        deviations.append((w - means[-1]).square().sum(dim=1).mean().sqrt())
    return WStatistics(torch.stack(means).float()[which], torch.stack(deviations).float()[which])


def learning_rate_factor(share: float) -> float:
    """Factor of the learning rate after a share of all steps: linear at first, a half cosine at the end."""
    down = min(1.0, (1 - share) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(down * math.pi)) * min(1.0, share / RAMP_UP)


def invert(
    generator: Any,
    images: Float[Tensor, "batch 3 height width"],
    cameras: Float[Tensor, "batch 25"] | None = None,
    *,
    space: Space = "w",
    steps: int = 1000,
    learning_rate: float = 0.1,
    perceptual: Distance | None = None,
    pixel_weight: float = 0.0,
    raw_weight: float = 0.0,
    optimize_noise: bool = False,
    noise_weight: float = 1e5,
    initial_noise: float = 0.05,
    initial: Float[Tensor, "batch num_ws w_dim"] | None = None,
    conditioning: Float[Tensor, "*batch c_dim"] | None = None,
    average_samples: int = 10_000,
    seed: int = 0,
    progress: bool = True,
) -> Inversion:
    """Find the latents of images in [-1, 1] (Karras et al. 2020, appendix D). Each image is optimised for itself.

    space: `w` has one w for all layers, `w+` one for each (Abdal et al. 2019). perceptual: a distance of image pairs,
    by default `perceptual_distance()`; pixel_weight and raw_weight add the mean square difference of the image and of
    EG3D's raw rendering. optimize_noise: the noise maps are unknowns too; else the stored ones stay. initial_noise:
    noise on w at the start, in deviations of w. initial: latents to start from, instead of the mean w. conditioning:
    what the mapping network is told while that mean is taken (by default EG3D's frontal camera).

    The generator is not changed. Equal seeds and batches give equal results. Raises ValueError for input that does not
    fit.
    """
    if space not in ("w", "w+") or steps < 1 or average_samples < 2:
        raise ValueError(
            f"inversion: got space={space!r}, steps={steps}, average_samples={average_samples}; "
            "expected w or w+, at least 1, and at least 2"
        )
    check_inputs(generator, images, cameras)
    device = next(generator.parameters()).device
    images, cameras = images.to(device), None if cameras is None else cameras.to(device)
    working = copy.deepcopy(generator).eval().requires_grad_(False)
    rows = conditioning_rows(generator, len(images), conditioning, cameras)
    statistics = w_statistics(working, rows, average_samples, seed)
    w = _start(statistics.mean, initial, generator.num_ws, space).requires_grad_()
    noise = _initial_noise(working, len(images), seed) if optimize_noise else {}
    set_noise(working, noise)
    distance = perceptual or perceptual_distance(side=images.shape[-1]).to(device)
    measure = objective(images, distance, Weights(1.0, pixel_weight, raw_weight))
    optimizer = torch.optim.Adam([w, *noise.values()], lr=learning_rate, betas=(0.9, 0.999))
    history = []
    with torch.enable_grad():
        for step in tqdm(range(steps), desc=space, unit="step", disable=not progress):
            share, draws = step / steps, Draws(seed, step, device)
            optimizer.param_groups[0]["lr"] = learning_rate * learning_rate_factor(share)
            scale = statistics.deviation * initial_noise * max(0.0, 1 - share / NOISE_RAMP) ** 2
            ws = (w + draws.randn(list(w.shape)) * scale[:, None, None]).expand(-1, generator.num_ws, -1)
            loss, _ = measure(synthesize(working, ws, cameras, draws))
            history.append(loss.detach())
            if noise:
                loss = loss + noise_weight * noise_regularization(noise.values())
            optimizer.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimizer.step()
            normalize_noise(noise.values())
    ws = w.detach().expand(-1, generator.num_ws, -1).clone()
    noise = {name: level.detach() for name, level in noise.items()}
    set_noise(working, noise)
    with torch.no_grad():
        made = synthesize(working, ws, cameras, Draws(seed, 0, device)).image
    return Inversion(ws, made, noise, torch.stack(history).cpu())


def _start(mean: Tensor, initial: Tensor | None, num_ws: int, space: Space) -> Tensor:
    """The unknown: (N, 1, w_dim) or (N, num_ws, w_dim)."""
    expected = (len(mean), num_ws, mean.shape[1])
    if initial is None:
        return mean[:, None].repeat(1, 1 if space == "w" else num_ws, 1)
    if tuple(initial.shape) != expected:
        raise ValueError(f"inversion: got initial latents of shape {tuple(initial.shape)}, expected {expected}")
    initial = initial.detach().to(mean)
    return initial.mean(dim=1, keepdim=True) if space == "w" else initial.clone()


def _initial_noise(generator: Any, count: int, seed: int) -> dict[str, Tensor]:
    """Fresh noise maps (N, 1, R, R), the same for every image."""
    random, found = torch.Generator().manual_seed(seed), {}
    for name, stored in noise_buffers(generator).items():
        level = torch.randn(stored.shape, generator=random).to(stored)
        found[name] = level.expand(count, 1, -1, -1).clone().requires_grad_()
    return found
