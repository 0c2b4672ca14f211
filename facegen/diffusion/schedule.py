"""Noise schedules of discrete diffusion: how much of a clean sample is left at each of T steps."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

ScheduleName = Literal["scaled_linear", "linear", "cosine"]
SCHEDULES = ("scaled_linear", "linear", "cosine")
_MOST_BETA = 0.999


def betas(
    name: ScheduleName = "scaled_linear",
    start: float = 0.0015,
    end: float = 0.0195,
    num_steps: int = 1000,
    zero_terminal_snr: bool = False,
) -> Float[Tensor, " step"]:
    """Variances of the noise that each step adds, float64.

    `scaled_linear`: linear in the square root (Rombach et al. 2022, who call it linear); `linear` (Ho et al. 2020);
    `cosine` (Nichol and Dhariwal 2021; start and end do not matter). zero_terminal_snr: shift and scale so that the
    last step is pure noise (Lin et al. 2024, algorithm 1).
    """
    if name not in SCHEDULES:
        raise ValueError(f"schedule: got {name!r}, expected one of {', '.join(SCHEDULES)}")
    if num_steps < 2 or not 0 < start <= end < 1:
        raise ValueError(f"schedule: got {num_steps} steps of {start} to {end}, expected at least 2 between 0 and 1")
    if name == "linear":
        found = torch.linspace(start, end, num_steps, dtype=torch.float64)
    elif name == "scaled_linear":
        found = torch.linspace(start**0.5, end**0.5, num_steps, dtype=torch.float64) ** 2
    else:
        times = np.linspace(0, 1, num_steps + 1)
        left = np.cos((times + 0.008) / 1.008 * np.pi / 2) ** 2
        found = torch.from_numpy(np.minimum(1 - left[1:] / left[:-1], _MOST_BETA))
    return _without_signal_at_the_end(found) if zero_terminal_snr else found


def _without_signal_at_the_end(values: Tensor) -> Tensor:
    roots = (1 - values).cumprod(0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    left = ((roots - last) * first / (first - last)) ** 2
    return 1 - torch.cat([left[:1], left[1:] / left[:-1]])


def vlb_weights(values: Float[Tensor, " step"]) -> Float[Tensor, " step"]:
    """Weights of squared errors of the noise in the variational bound (Ho et al. 2020, equation 12), float64.

    The first would be infinite and takes the second's value, as in the code of Rombach et al.
    """
    alphas = 1 - values
    left = alphas.cumprod(0)
    before = torch.cat([torch.ones_like(left[:1]), left[:-1]])
    variance = values * (1 - before) / (1 - left)
    weights = values**2 / (2 * variance * alphas * (1 - left))
    weights[0] = weights[1]
    return weights
