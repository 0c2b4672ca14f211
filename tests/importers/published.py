"""Tiny random models as CompVis and the authors of ControlNet would have saved them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.importers import compvis_names as names
from facegen.importers.compvis import layout
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet

_PREFIX = {"denoiser": "model.diffusion_model.", "first_stage": "first_stage_model.", "control": "control_model."}


def randomised(network: Any, seed: int = 0) -> Any:
    """No parameter is zero, and signals keep their size."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(0.8 * noise / max(1, parameter[0].numel()) ** 0.5)
            else:
                parameter.copy_(0.1 * noise + (1 if name.endswith("weight") else 0))
    return network.eval().requires_grad_(False)


def latent_diffusion(
    first_stage: Mapping[str, Any] = {},
    unet: Mapping[str, Any] = {},
    **more: Any,
) -> LatentGenerator:
    """A model with the group norms of the published ones, 32 pixels; of other arguments."""
    stage = FirstStage(
        **{"img_resolution": 32, "latent_channels": 3, "channels": (32, 64), "blocks": 1, "num_codes": 8, **first_stage}
    )
    shape = {"channels": (32, 64), "blocks": 1, "attention": (False, True), "head_channels": 16}
    denoiser = UNet(**{"in_channels": stage.latent_channels, "size": stage.latent_size, **shape, **unet})
    return randomised(LatentGenerator(network_config(stage), network_config(denoiser), **more))


def published(network: nn.Module, hint_layers: int = 0) -> dict[str, Tensor]:
    """Weights of one network under their original names; plain attention's three projections become one."""
    state = {name.removeprefix("model."): tensor for name, tensor in network.state_dict().items()}
    state.pop("scaling_factor", None)
    kwargs: dict[str, Any] = network.init_kwargs  # type: ignore[assignment]
    if isinstance(network, FirstStage):
        modules = names.first_stage(len(kwargs["channels"]), kwargs["blocks"])
    elif isinstance(network, ControlBranch):
        kwargs = kwargs["unet"]
        modules = names.control(layout(kwargs), hint_layers)
    else:
        modules = names.unet(layout(kwargs))
    return _joined(_original(state, modules, isinstance(network, FirstStage)), kwargs.get("head_channels"))


def _original(state: Mapping[str, Tensor], modules: Mapping[str, str], images: bool) -> dict[str, Tensor]:
    found = {}
    for old, new in modules.items():
        for kind in ("weight", "bias"):
            if (tensor := state.get(f"{new}.{kind}")) is None or _is_other_place(old, state, new):
                continue
            plain = kind == "weight" and ".transformer_blocks." not in old and old.endswith((".q", ".k", ".v"))
            plain |= kind == "weight" and new.endswith("to_out.0") and ".transformer_blocks." not in old
            found[f"{old}.{kind}"] = tensor.reshape(*tensor.shape, *[1] * (2 if images else 1)) if plain else tensor
    return found


def _is_other_place(old: str, state: Mapping[str, Tensor], new: str) -> bool:
    """Upsampling stands behind attention where a block has some."""
    if not old.startswith("output_blocks.") or not old.endswith(".conv"):
        return False
    level, place = int(new.split(".")[1]), int(old.split(".")[2])
    blocks = sum(f"up_blocks.{level}.resnets.{number}.norm1.weight" in state for number in range(9))
    last = int(old.split(".")[1]) == (level + 1) * blocks - 1
    return not last or place != 1 + (f"up_blocks.{level}.attentions.0.{_NORM(state, level)}.weight" in state)


def _NORM(state: Mapping[str, Tensor], level: int) -> str:
    return "norm" if f"up_blocks.{level}.attentions.0.norm.weight" in state else "group_norm"


def _joined(state: Mapping[str, Tensor], head: int | None) -> dict[str, Tensor]:
    found = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        if not module.startswith(("input_blocks", "middle_block", "output_blocks")) or module[-2:] not in (
            ".q",
            ".k",
            ".v",
        ):
            found[name] = tensor
        elif module.endswith(".q"):
            parts = [state[f"{module[:-1]}{letter}.{kind}"].unflatten(0, (-1, head or 1)) for letter in "qkv"]
            found[f"{module[:-1]}qkv.{kind}"] = torch.stack(parts, dim=1).flatten(0, 2)
    return found


def checkpoint_of(model: LatentGenerator, hint_layers: int = 0) -> dict[str, Tensor]:
    """A `state_dict` of everything under the original prefixes, with the noise schedule."""
    parts: dict[str, nn.Module] = {"denoiser": model.denoiser, "first_stage": model.first_stage}
    if branches := list(model.controls.values()):
        (parts["control"],) = branches
    found = {
        _PREFIX[part] + name: tensor
        for part, network in parts.items()
        for name, tensor in published(network, hint_layers).items()
    }
    return {**found, "alphas_cumprod": model.process.alphas_cumprod.float()}


def config_of(model: LatentGenerator, **params: Any) -> dict[str, Any]:
    """The configuration that goes with it; params: of the model, beside what is usual."""
    unet, stage = unet_params(model.denoiser), model.first_stage.init_kwargs
    widths, sides = stage["channels"], [stage["img_resolution"] // 2**level for level in range(len(stage["channels"]))]
    ddconfig = {
        "double_z": stage["kind"] == "kl",
        "z_channels": stage["latent_channels"],
        "resolution": stage["img_resolution"],
        "ch": widths[0],
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": stage["blocks"],
        "attn_resolutions": [side for side, here in zip(sides, stage["attention"], strict=False) if here],
        **({} if stage["mid_attention"] else {"attn_type": "none"}),
    }
    first_stage = {"embed_dim": stage["latent_channels"], "ddconfig": ddconfig}
    first_stage |= {"n_embed": stage["num_codes"]} if stage["kind"] == "vq" else {}
    settings = model.process.settings
    return {
        "model": {
            "params": {
                "linear_start": settings["beta_start"],
                "linear_end": settings["beta_end"],
                "timesteps": settings["num_steps"],
                "parameterization": settings["objective"],
                "image_size": model.latent_shape[1],
                "unet_config": {"params": unet},
                "control_stage_config": {"params": unet},
                "first_stage_config": {"params": first_stage},
                **params,
            }
        }
    }


def unet_params(unet: UNet) -> dict[str, Any]:
    """Arguments of UNetModel for a UNet of ours."""
    kwargs = unet.init_kwargs
    heads = (
        {"num_head_channels": kwargs["head_channels"]}
        if kwargs["head_channels"]
        else {"num_heads": kwargs["num_heads"]}
    )
    transformer = {
        "use_spatial_transformer": True,
        "context_dim": kwargs["token_dim"],
        "transformer_depth": kwargs["depth"],
        "use_linear_in_transformer": kwargs["linear_projection"],
    }
    return {
        "image_size": 32,  # unused, as in the published configurations of Stable Diffusion
        "in_channels": kwargs["in_channels"],
        "out_channels": kwargs["in_channels"],
        "model_channels": kwargs["channels"][0],
        "channel_mult": [width // kwargs["channels"][0] for width in kwargs["channels"]],
        "num_res_blocks": kwargs["blocks"],
        "attention_resolutions": [2**level for level, here in enumerate(kwargs["attention"]) if here],
        **heads,
        **(transformer if kwargs["token_dim"] else {}),
    }


def save(path: Path, state: Mapping[str, Tensor], **more: Any) -> Path:
    """A `.ckpt` as Lightning lays it out."""
    torch.save({"epoch": 3, "global_step": 1234, "state_dict": dict(state), **more}, path)
    return path
