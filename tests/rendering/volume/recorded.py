"""Recorded random numbers in the place of a generator's, and the reference's names of plane axes."""

from collections.abc import Iterable

import torch
from torch import Tensor

AXES = {"eg3d": "xy_xz_zx", "lpff": "xy_xz_zy"}  # the reference's name -> ours


class Draws:
    """Gives recorded numbers in their order, in the shapes asked for; for `rand` and `randn` alike."""

    def __init__(self, recorded: Iterable[Tensor]) -> None:
        self.left = list(recorded)

    def __call__(self, shape: list[int], device: torch.device | None = None) -> Tensor:
        value = self.left.pop(0)
        return value.reshape(shape).to(device)  # the reference draws the same numbers in other shapes
