"""Configurations of diffusers' networks and schedulers as arguments of ours.

What ours cannot express is found by comparison: the network of ours that comes nearest is built without weights, and
every setting in which its own diffusers configuration differs is refused by name.
"""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.unet import UNet

Config = Mapping[str, Any]

# Settings that change no number in float32, or that are compared otherwise.
_IGNORED = {
    *("sample_size", "upcast_attention", "force_upcast", "num_attention_heads", "attention_type", "time_embedding_dim"),
    *("latents_mean", "latents_std", "num_train_timesteps", "encoder_hid_dim_type"),
}
_SAMPLERS = {
    "DDIMScheduler": "ddim",
    "DPMSolverMultistepScheduler": "dpm++2m",
    "UniPCMultistepScheduler": "unipc",
    "FlowMatchEulerDiscreteScheduler": "flow_euler",
    "FlowMatchHeunDiscreteScheduler": "flow_heun",
}
_OBJECTIVES = {"epsilon": "eps", "v_prediction": "v", "flow_prediction": "flow"}
_SCHEDULES = {"scaled_linear": "scaled_linear", "linear": "linear", "squaredcos_cap_v2": "cosine"}


def unet_arguments(config: Config, where: Path) -> dict[str, Any]:
    """Arguments of our `UNet` for a `UNet2DModel` or `UNet2DConditionModel`; ValueError for others."""
    kind = config.get("_class_name")
    if kind not in ("UNet2DModel", "UNet2DConditionModel"):
        raise ValueError(f"{where}: got the class {kind}, expected UNet2DModel or UNet2DConditionModel")
    arguments = _encoder(config, where, with_tokens=kind == "UNet2DConditionModel")
    arguments["out_channels"] = _get(config, "out_channels", where)
    with torch.device("meta"):
        nearest = UNet(**arguments).model
    _refuse_differences(config, nearest, where)
    return arguments


def control_arguments(config: Config, where: Path) -> dict[str, Any]:
    """Arguments of our `ControlBranch` for a `ControlNetModel`; ValueError for others."""
    if config.get("_class_name") != "ControlNetModel":
        raise ValueError(f"{where}: got the class {config.get('_class_name')}, expected ControlNetModel")
    arguments = {
        "unet": _encoder(config, where, with_tokens=True),
        "hint_channels": config.get("conditioning_channels", 3),
        "hint_widths": list(config.get("conditioning_embedding_out_channels") or (16, 32, 96, 256)),
    }
    with torch.device("meta"):
        nearest = ControlBranch(**arguments).model
    _refuse_differences(config, nearest, where)
    return arguments


def first_stage_arguments(config: Config, where: Path) -> dict[str, Any]:
    """Arguments of our `FirstStage` for an `AutoencoderKL` or `VQModel`; ValueError for others."""
    kind = {"AutoencoderKL": "kl", "VQModel": "vq"}.get(str(config.get("_class_name")))
    if kind is None:
        raise ValueError(f"{where}: got the class {config.get('_class_name')}, expected AutoencoderKL or VQModel")
    inner, channels = _get(config, "latent_channels", where), _channels(config, where)
    embedded = config.get("vq_embed_dim") if kind == "vq" else None
    arguments: dict[str, Any] = {
        "kind": kind,
        "img_resolution": _side(config, 256) // 2 ** (len(channels) - 1) * 2 ** (len(channels) - 1),
        "latent_channels": embedded or inner,
        "channels": channels,
        "blocks": config.get("layers_per_block", 1),
        "norm_groups": config.get("norm_num_groups", 32),
        "attention": [name == "AttnDownEncoderBlock2D" for name in _get(config, "down_block_types", where)],
        "mid_attention": config.get("mid_block_add_attention", True),
        "scaling_factor": float(config.get("scaling_factor", 0.18215)),
    }
    if kind == "vq":
        arguments["num_codes"] = config.get("num_vq_embeddings", 256)
        arguments["encoder_channels"] = inner if embedded not in (None, inner) else None
    with torch.device("meta"):
        nearest = FirstStage(**arguments).model
    _refuse_differences(config, nearest, where)
    return arguments


def process_arguments(config: Config, where: Path) -> dict[str, Any]:
    """Arguments of our `Process` for a scheduler: what was learnt, however it is sampled."""
    if str(config.get("_class_name")).startswith("FlowMatch"):
        objective = "flow"
    else:
        objective = _named(config, "prediction_type", "epsilon", _OBJECTIVES, where)
    steps = config.get("num_train_timesteps", 1000)
    if objective == "flow":
        return {
            "objective": objective,
            "num_steps": steps,
            "shift": float(config.get("shift", config.get("flow_shift", 1))),
        }
    if config.get("trained_betas") is not None:
        raise ValueError(f"{where}: got trained_betas, which facegen has not; expected a schedule by name")
    found = {
        "objective": objective,
        "schedule": _named(config, "beta_schedule", "linear", _SCHEDULES, where),
        "beta_start": float(config.get("beta_start", 1e-4)),
        "beta_end": float(config.get("beta_end", 0.02)),
        "num_steps": steps,
        "zero_terminal_snr": bool(config.get("rescale_betas_zero_snr", False)),
    }
    spacing = config.get("timestep_spacing")
    return found | ({"spacing": spacing} if spacing in ("leading", "trailing") else {})


def sampling_arguments(config: Config, process: Config) -> dict[str, Any]:
    """The sampler that a scheduler is, where facegen has it; else the usual one of the process."""
    usual = "flow_euler" if process["objective"] == "flow" else "ddim"
    return {"sampler": _SAMPLERS.get(str(config.get("_class_name")), usual)}


def _encoder(config: Config, where: Path, with_tokens: bool) -> dict[str, Any]:
    """Arguments of our `UNet` that a ControlNet has as well."""
    channels = _channels(config, where)
    types = _get(config, "down_block_types", where)
    arguments: dict[str, Any] = {
        "in_channels": _get(config, "in_channels", where),
        "size": _side(config, 64),
        "channels": channels,
        "blocks": config.get("layers_per_block", 2),
        "attention": ["Attn" in str(name) for name in types],
        "norm_groups": config.get("norm_num_groups", 32),
        "dropout": float(config.get("dropout", 0.0)),
        **_heads(config.get("attention_head_dim", 8), channels, with_tokens, where),
    }
    if with_tokens:
        arguments |= {
            "token_dim": _one(config, "cross_attention_dim", 1280, where),
            "depth": _one(config, "transformer_layers_per_block", 1, where),
            "linear_projection": bool(config.get("use_linear_projection", False)),
        }
    return arguments


def _heads(value: Any, channels: Sequence[int], with_tokens: bool, where: Path) -> dict[str, int | None]:
    """`attention_head_dim`: the width of a head without tokens, and with tokens, in spite of its name, how many."""
    if not with_tokens:
        if type(value) is not int or value < 1:
            raise ValueError(f"{where}: got attention_head_dim={value}, expected the channels of a head")
        return {"head_channels": value, "num_heads": None}
    counts = list(value) if isinstance(value, list | tuple) else [value] * len(channels)
    if len(counts) != len(channels) or not all(type(count) is int and count > 0 for count in counts):
        raise ValueError(f"{where}: got attention_head_dim={value}, expected numbers of heads")
    if len(set(counts)) == 1:
        return {"head_channels": None, "num_heads": counts[0]}
    widths = {width // count for width, count in zip(channels, counts, strict=True)}
    if len(widths) != 1:
        raise ValueError(
            f"{where}: got attention_head_dim={value}, expected as many heads, or as wide ones, in each level"
        )
    return {"head_channels": widths.pop(), "num_heads": None}


def _refuse_differences(config: Config, nearest: Any, where: Path) -> None:
    """ValueError that names a setting in which the network of ours differs."""
    defaults = {name: p.default for name, p in inspect.signature(type(nearest).__init__).parameters.items()}
    ours: Mapping[str, Any] = nearest.config
    for name, value in ours.items():
        if name.startswith("_") or name not in defaults or name in _IGNORED:
            continue
        given = config.get(name, defaults[name])
        if not _same(given, value, len(ours["block_out_channels"])):
            raise ValueError(
                f"{where}: got {name}={str(given)[:80]}, which facegen has not; expected {str(value)[:80]}"
            )


def _same(given: Any, ours: Any, levels: int) -> bool:
    """Whether two settings say the same; one for all levels is as good as a list."""
    lists = [list(value) if isinstance(value, list | tuple) else value for value in (given, ours)]
    if any(isinstance(value, list) for value in lists):
        lists = [value if isinstance(value, list) else [value] * levels for value in lists]
    return lists[0] == lists[1]


def _get(config: Config, name: str, where: Path) -> Any:
    if config.get(name) is None:
        raise ValueError(f"{where}: it has no {name}; expected a configuration as diffusers writes it")
    return config[name]


def _channels(config: Config, where: Path) -> list[int]:
    value = _get(config, "block_out_channels", where)
    if not isinstance(value, list) or not value or not all(type(width) is int and width > 0 for width in value):
        raise ValueError(f"{where}: got block_out_channels={str(value)[:60]}, expected a list of numbers of channels")
    return value


def _one(config: Config, name: str, default: int, where: Path) -> int:
    value = config.get(name, default)
    value = value[0] if isinstance(value, list) and value and len({str(entry) for entry in value}) == 1 else value
    if type(value) is not int or value < 1:
        raise ValueError(f"{where}: got {name}={str(value)[:60]}, which facegen has not; expected one number")
    return value


def _side(config: Config, default: int) -> int:
    value = config.get("sample_size")
    value = value[0] if isinstance(value, list) and value else value
    return value if type(value) is int and value > 0 else default


def _named(config: Config, name: str, default: str, known: Mapping[str, str], where: Path) -> str:
    value = str(config.get(name, default))
    if value not in known:
        raise ValueError(f"{where}: got {name}={value[:40]}, which facegen has not; expected {', '.join(known)}")
    return known[value]
