"""Pivotal tuning (Roich et al. 2022): the generator moves a little, so that a found latent gives the exact picture."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from facegen.losses.perceptual import perceptual_distance
from facegen.models.draws import Draws
from facegen.models.inversion.noise import with_noise
from facegen.models.inversion.objective import Distance, Weights, objective
from facegen.models.inversion.pictures import check_inputs, synthesize


class Tuned(NamedTuple):
    """The tuned copy of a generator, its pictures of the pivots, and the mean loss of each step."""

    generator: Any
    images: Float[Tensor, "batch 3 height width"]
    history: Float[Tensor, " step"]


def pivotal_tuning(
    generator: Any,
    ws: Float[Tensor, "batch num_ws w_dim"],
    images: Float[Tensor, "batch 3 height width"],
    cameras: Float[Tensor, "batch 25"] | None = None,
    *,
    noise: Mapping[str, Float[Tensor, "batch 1 side side"]] | None = None,
    steps: int = 350,
    learning_rate: float = 3e-4,
    perceptual: Distance | None = None,
    perceptual_weight: float = 1.0,
    pixel_weight: float = 1.0,
    raw_weight: float = 0.0,
    stop_below: float | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Tuned:
    """Optimise a copy of the generator around the latents `ws` of one image, or of several that it shall share.

    The loss is the perceptual distance plus the mean square difference (their equation 3, without the locality term).
    noise: optimised noise maps of one image, which the copy keeps. stop_below: ends early, before a step, where the
    mean perceptual distance is below it (the released program: 0.06 of AlexNet's LPIPS). The given generator is not
    changed. Raises ValueError for input that does not fit.
    """
    check_inputs(generator, images, cameras)
    if steps < 1 or tuple(ws.shape) != (len(images), generator.num_ws, generator.w_dim):
        expected = (len(images), generator.num_ws, generator.w_dim)
        raise ValueError(f"pivotal tuning: got ws {tuple(ws.shape)}, steps={steps}; expected {expected}, at least 1")
    device = next(generator.parameters()).device
    images, cameras = images.to(device), None if cameras is None else cameras.to(device)
    ws = ws.detach().to(device)
    tuned: Any = with_noise(generator, noise or {}).eval().requires_grad_(True)
    distance = perceptual or perceptual_distance(side=images.shape[-1]).to(device)
    measure = objective(images, distance, Weights(perceptual_weight, pixel_weight, raw_weight))
    optimizer = torch.optim.Adam(tuned.parameters(), lr=learning_rate, betas=(0.9, 0.999))
    history = []
    with torch.enable_grad():
        for step in tqdm(range(steps), desc="pivotal", unit="step", disable=not progress):
            loss, apart = measure(synthesize(tuned, ws, cameras, Draws(seed, step, device)))
            history.append(loss.detach().mean())
            if stop_below is not None and float(apart.detach().mean()) < stop_below:
                break
            optimizer.zero_grad(set_to_none=True)
            loss.mean().backward()
            optimizer.step()
    tuned.requires_grad_(False)
    with torch.no_grad():
        made = synthesize(tuned, ws, cameras, Draws(seed, 0, device)).image
    return Tuned(tuned, made, torch.stack(history).cpu())
