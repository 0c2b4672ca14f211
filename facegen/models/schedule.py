"""The published schedule of a GAN: phases with lazy regularisation, their optimisers, the averaged generator."""

from typing import Literal, NamedTuple

import torch
from torch import nn


class Phase(NamedTuple):
    """One backward pass and optimiser step over one network, every `interval` batches."""

    name: str
    network: Literal["generator", "discriminator"]
    main: bool
    regularise: bool
    interval: int


def phases(network: Literal["generator", "discriminator"], interval: int | None) -> list[Phase]:
    """Main phase and lazy regulariser (Karras et al. 2020, section 3.1), or both in one when `interval` is None."""
    letter = network[0].upper()
    if interval is None:
        return [Phase(f"{letter}both", network, True, True, 1)]
    return [Phase(f"{letter}main", network, True, False, 1), Phase(f"{letter}reg", network, False, True, interval)]


def lazy_adam(
    network: nn.Module, learning_rate: float, betas: tuple[float, float], interval: int | None
) -> torch.optim.Adam:
    """Adam for a network whose regulariser makes one extra step every `interval` batches: slower by that ratio."""
    ratio = 1.0 if interval is None else interval / (interval + 1)
    beta1, beta2 = (float(beta) ** ratio for beta in betas)
    return torch.optim.Adam(network.parameters(), lr=learning_rate * ratio, betas=(beta1, beta2), eps=1e-8, fused=True)


def ema_beta(images_seen: int, batch_size: int, ema_kimg: float, rampup: float | None) -> float:
    """Decay of the averaged generator: half-life `ema_kimg`, at most `rampup` of the images seen so far."""
    half_life = ema_kimg * 1000
    if rampup is not None:
        half_life = min(half_life, images_seen * rampup)
    return 0.5 ** (batch_size / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, beta: float) -> None:
    """Move averaged parameters towards the network's and copy its buffers."""
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - beta)
    for slow, fast in zip(average.buffers(), network.buffers(), strict=True):
        slow.copy_(fast)
