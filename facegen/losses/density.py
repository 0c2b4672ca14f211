"""Regularisers of density fields (EG3D, Chan et al. 2022, section 4.4 and its published code)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Sigma = Callable[[Float[Tensor, "batch point 3"]], Float[Tensor, "batch point 1"]]

_MONOTONIC_WEIGHT = 10.0


def density_smoothness(
    sigma: Sigma, points: Float[Tensor, "batch point 3"], offsets: Float[Tensor, "batch point 3"]
) -> Tensor:
    """Mean |sigma(x) - sigma(x + offset)| of raw densities: total variation by samples."""
    here, there = _at_both(sigma, points, points + offsets)
    return (here - there).abs().mean()


def density_monotonicity(sigma: Sigma, points: Float[Tensor, "batch point 3"], distance: float, detach: bool) -> Tensor:
    """Ten times the mean of relu(sigma(x) - sigma(behind x)): density must not fall from the front to the back.

    Behind is `distance` along -z. `detach`: only the density behind learns, which rises.
    """
    step = points.new_tensor([0.0, 0.0, -distance])
    front, behind = _at_both(sigma, points, points + step)
    return (front.detach() if detach else front).sub(behind).relu().mean() * _MONOTONIC_WEIGHT


def _at_both(sigma: Sigma, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    both = sigma(torch.cat([first, second], dim=1))
    return both[:, : first.shape[1]], both[:, first.shape[1] :]
