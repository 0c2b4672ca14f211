"""Tiny random models of every kind that diffusers has a pipeline for."""

from typing import Any

from facegen.checkpoint import network_config
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet
from tests.importers.published import randomised

NUMBERS = {"kind": "numbers", "size": 5, "form": "tokens", "tokens": 3}
UNET: dict[str, Any] = {"channels": (32, 64), "blocks": 1, "attention": (False, True), "norm_groups": 8}


def tiny(
    kind: str = "kl",
    inputs: dict[str, Any] | None = None,
    controls: tuple[str, ...] = (),
    unet: dict[str, Any] | None = None,
    control: dict[str, Any] | None = None,
    **more: Any,
) -> LatentGenerator:
    """32 pixels. inputs: of the conditioner. unet, control: other arguments of the denoiser and of branches."""
    stage = FirstStage(kind, 32, 3, (32, 32, 64), 1, 16, 16, scaling_factor=0.3 if kind == "kl" else 1.0)  # type: ignore[arg-type]
    conditioner = Conditioner(inputs, 24) if inputs else None
    dims = {"vector_dim": conditioner.vector_dim, "token_dim": conditioner.token_dim} if conditioner else {}
    denoiser = UNet(3, size=8, **{**UNET, "head_channels": 16, **dims, **(unet or {})})
    branches = {name: network_config(ControlBranch(denoiser.init_kwargs, **(control or {}))) for name in controls}
    return randomised(
        LatentGenerator(
            network_config(stage),
            network_config(denoiser),
            None if conditioner is None else network_config(conditioner),
            controls=branches,
            **more,
        )
    )
