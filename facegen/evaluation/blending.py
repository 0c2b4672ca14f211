"""Faces of seeds changed by those of other seeds: on the way to one, or with the style of one in some layers."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.networks.latents import latents, slerp


class Blend(NamedTuple):
    """towards: a seed, and the share of the way to it in [0, 1]. mix: a seed, and the first and last of the layers that
    take their style from it (style mixing, Karras et al. 2019), counted from 0."""

    towards: tuple[int, float] | None = None
    mix: tuple[int, int, int] | None = None


_AS_THEY_ARE = Blend()


@torch.inference_mode()
def blended(
    generator: Any,
    seeds: list[int],
    c: Float[Tensor, "seed c_dim"],
    blend: Blend = _AS_THEY_ARE,
    truncation: float = 1.0,
    cutoff: int | None = None,
) -> Float[Tensor, "seed num_ws w_dim"]:
    """What the mapping network makes of seeds, linearly in w; others are told the same labels c.

    Raises ValueError for layers that the generator has not, and a share outside of [0, 1].
    """
    device = next(generator.parameters()).device

    def mapped(numbers: list[int]) -> Tensor:
        z = latents(numbers, generator.z_dim).to(device)
        return generator.mapping(z, c.to(device), truncation_psi=truncation, truncation_cutoff=cutoff)

    ws = mapped(seeds)
    if blend.towards is not None:
        other, share = blend.towards
        ws = torch.lerp(ws, mapped([other] * len(seeds)), _checked_share(share))
    if blend.mix is not None:
        other, first, last = blend.mix
        if not 0 <= first <= last < ws.shape[1]:
            raise ValueError(f"mix: got layers {first} to {last}, expected some of 0 to {ws.shape[1] - 1}, in order")
        ws = ws.clone()
        ws[:, first : last + 1] = mapped([other] * len(seeds))[:, first : last + 1]
    return ws


def blended_noise(seeds: list[int], z_dim: int, blend: Blend = _AS_THEY_ARE) -> Float[Tensor, "seed z_dim"]:
    """Starting noise of seeds, on the sphere towards another. ValueError for `mix`, for there are no layers."""
    if blend.mix is not None:
        raise ValueError("mix: got layers to mix, but a diffusion model has no styles; expected null")
    z = latents(seeds, z_dim)
    if blend.towards is None:
        return z
    other, share = blend.towards
    end, step = latents([other], z_dim)[0], torch.tensor([_checked_share(share)])
    return torch.cat([slerp(each, end, step) for each in z])


def _checked_share(share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"towards: got the share {share:g}, expected 0 (the seed itself) to 1 (the other one)")
    return share
