"""Searching a latent code on a sphere (PULSE, Menon et al. 2020), and the learning rates of FFHQ-UV's two stages."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_EPS = 1e-9  # under the root of norms


class SphericalAdam(torch.optim.Adam):
    """Adam, after whose steps each vector of (N, L, ...) parameters is given back the length that it began with."""

    def __init__(self, parameters: Iterable[Tensor], lr: float = 0.1) -> None:
        tensors = list(parameters)
        super().__init__(tensors, lr=lr)
        self._radii = [(tensor, _norm(tensor.detach())) for tensor in tensors]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of Adam, then back onto the spheres."""
        loss = super().step(closure)
        for tensor, radius in self._radii:
            tensor.mul_(radius / _norm(tensor))
        return loss


def _norm(x: Tensor) -> Tensor:
    return (x.square().sum(dim=tuple(range(2, x.ndim)), keepdim=True) + _EPS).sqrt()


def schedule(step: int, steps: int, ramp: float) -> float:
    """Factor of the learning rate at a step: 1, and over the last `ramp` of all steps half a cosine down to 0."""
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - step / steps) / ramp))
