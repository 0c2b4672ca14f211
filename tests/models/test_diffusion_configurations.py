"""Every configuration of latent diffusion makes its model, and the published ones have the published sizes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from facegen.cli import compose
from facegen.cli.commands import commands
from facegen.networks.diffusion import FirstStage
from tests.models.tiny import tiny_latent_diffusion

FOLDER = Path(__file__).parents[2] / "configs/model"
DIFFUSION = ("dit", "latent_diffusion", "ldm")
KINDS = (*DIFFUSION, "autoencoder", "controlnet", "kl_", "parser", "vq_")
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem.startswith(KINDS))
# Millions of parameters, as the papers (or their model cards) have them.
PUBLISHED = {"ldm_ffhq256": 274.06, "ldm_celebahq256": 274.06, "vq_f4": 55.3, "kl_f8": 83.6}
PUBLISHED |= {"dit_s2": 33, "dit_b2": 130, "dit_l2": 458, "dit_xl2": 675}  # with 1000 classes
CLASSES = {"class": {"kind": "class", "size": 1001, "form": "vector"}}


def settings_of(name: str) -> Any:
    needed = "base" if name.startswith("controlnet") else "first_stage" if name.startswith(DIFFUSION) else None
    words = [f"model={name}", "data.root=nowhere", *([f"model.{needed}=later"] if needed else [])]
    return compose.checked(commands()["train"], words).model


def first_stage(backbone: str) -> FirstStage:
    """One of 256 pixels whose latents have the published shape: 3 x 64 x 64, for transformers 4 x 32 x 32."""
    channels, levels = (4, 4) if backbone == "dit" else (3, 3)
    return FirstStage("kl", 256, channels, [8] * levels, 1, norm_groups=4)


def built(name: str) -> Any:
    settings, more = settings_of(name), {}
    if name.startswith(DIFFUSION):
        more["first_stage"] = first_stage(settings.backbone)
    if name.startswith("dit"):
        more["conditions"] = CLASSES
    if name.startswith("controlnet"):
        more["base"] = tiny_latent_diffusion().generator_ema
    return instantiate(settings, _convert_="all", **more)


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_makes_its_model(name: str) -> None:
    with torch.device("cpu" if name.startswith("controlnet") else "meta"):
        model = built(name)
    if name not in PUBLISHED:
        return
    networks = model.networks.values() if name.startswith(("dit", "ldm")) else [model.network]
    count = sum(parameter.numel() for network in networks for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(PUBLISHED[name], rel=0.01)
