"""Latent diffusion models so small that a picture takes milliseconds; random, but not zero anywhere."""

from typing import Any

import torch

from facegen.checkpoint import network_config
from facegen.networks.diffusion import ControlBranch, FirstStage, LatentGenerator, UNet
from facegen.networks.diffusion.conditioner import Conditioner

CAMERA = {"camera": {"kind": "numbers", "size": 25}}
WORDS = {"caption": {"kind": "text", "form": "tokens", "encoder": "words", "tokens": 4}}


def tiny_latent_generator(
    inputs: dict[str, Any] | None = None, controls: tuple[str, ...] = (), side: int = 16, **more: Any
) -> LatentGenerator:
    """Two latents to a pixel's side, three channels, two steps. inputs: of the conditioner. controls: their names."""
    torch.manual_seed(0)
    conditioner = Conditioner(inputs, width=16) if inputs else None
    first_stage = FirstStage("kl", side, 3, (8, 8), blocks=1, norm_groups=4, mid_attention=False)
    names = () if conditioner is None else ("vector_dim", "token_dim")
    dims: dict[str, Any] = {name: getattr(conditioner, name) for name in names}
    shape: dict[str, Any] = {"channels": (16, 16), "blocks": 1, "head_channels": 8, "norm_groups": 4}
    unet = UNet(3, size=side // 2, attention=(False, True), **shape, **dims)
    branches = {name: ControlBranch(unet.init_kwargs, hint_widths=(8, 8)) for name in controls}
    generator = LatentGenerator(
        network_config(first_stage),
        network_config(unet),
        None if conditioner is None else network_config(conditioner),
        sampling={"steps": 2},
        controls={name: network_config(branch) for name, branch in branches.items()},
        **more,
    )
    for weight in generator.parameters():
        if not weight.any():  # layers that start at zero would hide what they are told
            torch.nn.init.normal_(weight, std=0.1)
    return generator.eval().requires_grad_(False)
