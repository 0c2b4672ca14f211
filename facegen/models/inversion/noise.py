"""The noise maps of a generator as unknowns, and what keeps pictures out of them (Karras et al. 2020, appendix D)."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.eg3d import is_3d

_LEAST = 8  # side of the coarsest map that is looked at


def noise_buffers(generator: Any) -> dict[str, Float[Tensor, "side side"]]:
    """Stored noise maps that pictures depend on, by their names in the state dict."""
    found = {name: b for name, b in generator.named_buffers() if name.rpartition(".")[2] == "noise_const"}
    # EG3D's super-resolution is given no noise
    return {name: b for name, b in found.items() if not is_3d(generator) or name.startswith("backbone.")}


def set_noise(generator: nn.Module, noise: Mapping[str, Float[Tensor, "batch 1 side side"]]) -> None:
    """Put noise maps, one per image, in the place of the stored ones."""
    for name, value in noise.items():
        owner, _, buffer = name.rpartition(".")
        setattr(generator.get_submodule(owner), buffer, value)


def with_noise(generator: nn.Module, noise: Mapping[str, Float[Tensor, "1 1 side side"]]) -> nn.Module:
    """A copy of the generator that keeps the noise maps found for one image. Raises ValueError for several."""
    if any(len(level) != 1 for level in noise.values()):
        raise ValueError(f"noise maps: got those of {len(next(iter(noise.values())))} images, expected one image")
    changed = copy.deepcopy(generator)
    set_noise(changed, {name: level[0, 0].detach().clone() for name, level in noise.items()})
    return changed


def noise_regularization(noise: Iterable[Float[Tensor, "batch 1 side side"]]) -> Float[Tensor, " batch"]:
    """Squared correlation of neighbours, summed over maps and over their halvings down to 8x8, per image.

    Halving averages 2x2 pixels and doubles, which keeps unit variance. (The released program does not double.)
    """
    total: Any = 0
    for level in noise:
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, dims=axis)).mean(dim=(1, 2, 3)).square()
            if level.shape[-1] <= _LEAST:
                break
            level = 2 * F.avg_pool2d(level, 2)
    return total


@torch.no_grad()
def normalize_noise(noise: Iterable[Float[Tensor, "batch 1 side side"]]) -> None:
    """Bring every map back to mean 0 and variance 1, in place."""
    for level in noise:
        level -= level.mean(dim=(1, 2, 3), keepdim=True)
        level *= level.square().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12).rsqrt()
