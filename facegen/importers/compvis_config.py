"""Configurations of CompVis models (latent diffusion, Stable Diffusion, ControlNet): YAML, or the same as JSON."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_MOST_BYTES = 2**20  # a hundred times the longest published configuration
_ENDINGS = (".config.yaml", ".config.yml", ".config.json", ".yaml", ".yml", ".json")
_GENERAL = ("config.yaml", "project.yaml")  # beside `model.ckpt`, as published

# Settings of UNetModel that change what it computes, with the one value that facegen's UNet has.
_FIXED_OF_UNET: dict[str, tuple[Any, ...]] = {
    "conv_resample": (True,),
    "dims": (2,),
    "num_classes": (None,),
    "use_scale_shift_norm": (False,),
    "resblock_updown": (False,),
    "n_embed": (None,),
    "adm_in_channels": (None,),
    "disable_self_attentions": (None,),
    "num_attention_blocks": (None,),
    "disable_middle_self_attn": (False,),
}
_SIZES_OF_UNET = {
    "in_channels": "in_channels",
    "out_channels": "out_channels",
    "num_res_blocks": "blocks",
    "context_dim": "token_dim",
    "transformer_depth": "depth",
    "use_linear_in_transformer": "linear_projection",
}
_OF_TRANSFORMERS = ("token_dim", "depth", "linear_projection")
_SAME_EVERYWHERE = ("blocks", *_OF_TRANSFORMERS)  # may be listed for each level
_FIXED_OF_FIRST_STAGE: dict[str, tuple[Any, ...]] = {
    "resamp_with_conv": (True,),
    "use_linear_attn": (False,),
    "attn_type": ("vanilla", "vanilla-xformers", "none"),
    "give_pre_end": (False,),
    "tanh_out": (False,),
    "in_channels": (3,),
    "out_ch": (3,),
}
_FIXED_OF_MODEL: dict[str, tuple[Any, ...]] = {
    "conditioning_key": (None, "crossattn"),
    "given_betas": (None,),
    "learn_logvar": (False,),
}


class Heads(NamedTuple):
    """How attention is split: a width or a number of heads, and whether [q, k, v] of a head lie together."""

    head_channels: int | None
    num_heads: int | None
    interleaved: bool = True


class ModelConfig(NamedTuple):
    """The `params` of a model and of its parts; empty where there is none."""

    model: Mapping[str, Any]
    unet: Mapping[str, Any]
    control: Mapping[str, Any]
    first_stage: Mapping[str, Any]


def find_config(path: Path) -> Path | None:
    """The configuration beside a file of weights: of its name, or `config.yaml`."""
    stems = [path.name.rsplit(".", count)[0] for count in range(1, path.name.count(".") + 1)]
    names = [f"{stem}{ending}" for stem in stems for ending in _ENDINGS]
    return next((path.with_name(name) for name in (*names, *_GENERAL) if path.with_name(name).is_file()), None)


def read_config(path: Path) -> ModelConfig:
    """A configuration. Raises ValueError, in one line, for a file that is none."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, expected a configuration of at most {_MOST_BYTES}")
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"config: {path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"config: {path} is not a configuration ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("model"), Mapping):
        raise ValueError(f"config: {path} has no entry `model`, expected the configuration of a CompVis model")
    model = _params(content["model"])
    if "ddconfig" in model:
        return ModelConfig({}, {}, {}, model)
    parts = [_params(model.get(f"{name}_config")) for name in ("unet", "control_stage", "first_stage")]
    return ModelConfig(model, *parts)


def _params(part: Any) -> Mapping[str, Any]:
    """What a part is built with; parts that are left out are a word in place of a mapping."""
    params = part.get("params") if isinstance(part, Mapping) else None
    return params if isinstance(params, Mapping) else {}


def check_fixed(config: ModelConfig) -> None:
    """ValueError that names a setting which facegen's networks cannot express."""
    ddconfig = _mapping(config.first_stage.get("ddconfig"))
    parts = [(config.unet, _FIXED_OF_UNET), (config.control, _FIXED_OF_UNET), (ddconfig, _FIXED_OF_FIRST_STAGE)]
    for params, fixed in [*parts, (config.model, _FIXED_OF_MODEL)]:
        for name, values in fixed.items():
            if params.get(name, values[0]) not in values:
                raise ValueError(
                    f"config: got {name}={str(params[name])[:40]}, which facegen has not; expected {values[0]}"
                )


def heads(params: Mapping[str, Any], channels: list[int], attention: list[bool], plain: bool) -> Heads:
    """How a UNet with these levels splits its attention; `plain`: without tokens.

    Raises ValueError where the configuration does not say, and for plain attention whose heads differ in width.
    """
    width, number = (_whole(params, name, -1) for name in ("num_head_channels", "num_heads"))
    interleaved = not (plain and params.get("use_new_attention_order", False))
    if width > 0:
        return Heads(width, None, interleaved)
    if number < 1:
        raise ValueError("config: got neither num_heads nor num_head_channels, expected one of them")
    if not plain:
        return Heads(None, number)
    widths = {count // number for count, here in zip(channels, attention, strict=True) if here} | {
        channels[-1] // number
    }
    if len(widths) != 1:
        raise ValueError(
            f"config: got num_heads={number}, so heads of {sorted(widths)} channels; facegen's UNets without tokens "
            "have heads of one width (num_head_channels)"
        )
    return Heads(widths.pop(), None, interleaved)


def check_sizes(params: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """ValueError where a UNet's configuration and its tensors (`found`: arguments of our UNet) say different things."""
    said = {ours: params[theirs] for theirs, ours in _SIZES_OF_UNET.items() if theirs in params}
    if "model_channels" in params and "channel_mult" in params:
        first = _whole(params, "model_channels", 0)
        said["channels"] = [first * entry for entry in _list(params, "channel_mult")]
    if "attention_resolutions" in params:
        resolutions = _list(params, "attention_resolutions")
        said["attention"] = [2**level in resolutions for level in range(len(found["channels"]))]
    if not params.get("use_spatial_transformer", False):
        said = {name: value for name, value in said.items() if name not in _OF_TRANSFORMERS} | {"token_dim": 0}
    _compare(said, found, "")


def _compare(said: Mapping[str, Any], found: Mapping[str, Any], whose: str) -> None:
    for name, value in said.items():
        if name in _SAME_EVERYWHERE and isinstance(value, list) and len({str(entry) for entry in value}) == 1:
            value = value[0]
        if name in found and value != found[name]:
            raise ValueError(
                f"config: it says {name} {str(value)[:60]}{whose}, the weights have {found[name]}; "
                "give the configuration that belongs to the file (config=PATH)"
            )


def process_arguments(config: ModelConfig) -> dict[str, Any]:
    """Arguments of our `Process`. Raises ValueError for objectives and schedules that it has not."""
    params = config.model
    objective, schedule = params.get("parameterization", "eps"), params.get("beta_schedule", "linear")
    names = {
        "linear": "scaled_linear",
        "sqrt_linear": "linear",
        "cosine": "cosine",
    }  # CompVis calls linear what is so in the square root
    if objective not in ("eps", "v"):
        raise ValueError(f"config: got parameterization={objective}, which facegen has not; expected eps or v")
    if schedule not in names:
        raise ValueError(f"config: got beta_schedule={schedule}, which facegen has not; expected linear")
    return {
        "objective": objective,
        "schedule": names[schedule],
        "beta_start": number(params, "linear_start", 1e-4),
        "beta_end": number(params, "linear_end", 2e-2),
        "num_steps": _whole(params, "timesteps", 1000),
    }


def latent_size(config: ModelConfig) -> int | None:
    """Side of the latents that a diffusion model was trained on."""
    # The model's own is the one that counts: the UNet's is an unused 32 in Stable Diffusion's.
    for params in (config.model, config.unet, config.control):
        if "image_size" in params:
            return _whole(params, "image_size", 0)
    return None


def image_resolution(config: ModelConfig) -> int | None:
    """Side of the images that a first stage was trained on."""
    ddconfig = _mapping(config.first_stage.get("ddconfig"))
    return _whole(ddconfig, "resolution", 0) if "resolution" in ddconfig else None


def check_first_stage(config: ModelConfig, found: Mapping[str, Any]) -> None:
    """ValueError where a first stage's configuration and its tensors (`found`) say different things."""
    ddconfig = _mapping(config.first_stage.get("ddconfig"))
    said: dict[str, Any] = {"mid_attention": ddconfig["attn_type"] != "none"} if "attn_type" in ddconfig else {}
    if "ch" in ddconfig and "ch_mult" in ddconfig:
        said["channels"] = [_whole(ddconfig, "ch", 0) * entry for entry in _list(ddconfig, "ch_mult")]
    if "attn_resolutions" in ddconfig and "resolution" in ddconfig:
        sides = [_whole(ddconfig, "resolution", 0) // 2**level for level in range(len(found["channels"]))]
        resolutions = _list(ddconfig, "attn_resolutions")
        said["attention"] = [said.get("mid_attention", True) and side in resolutions for side in sides]
    for params, name, ours in (
        (ddconfig, "num_res_blocks", "blocks"),
        (config.first_stage, "embed_dim", "latent_channels"),
        (config.first_stage, "n_embed", "num_codes"),
    ):
        said |= {ours: params[name]} if name in params else {}
    _compare(said, found, " of the first stage")


def number(params: Mapping[str, Any], name: str, default: float) -> float:
    """A finite number; YAML reads 1e-4 as text."""
    value = params.get(name, default)
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"config: got {name}={str(value)[:40]}, expected a number") from None
    if isinstance(value, bool) or not math.isfinite(found):
        raise ValueError(f"config: got {name}={str(value)[:40]}, expected a finite number")
    return found


def _whole(params: Mapping[str, Any], name: str, default: int) -> int:
    value = params.get(name, default)
    if type(value) is not int or abs(value) > 2**20:
        raise ValueError(f"config: got {name}={str(value)[:40]}, expected a whole number")
    return value


def _list(params: Mapping[str, Any], name: str) -> list[int]:
    value = params[name]
    if not isinstance(value, list) or not all(type(entry) is int for entry in value):
        raise ValueError(f"config: got {name}={str(value)[:40]}, expected a list of whole numbers")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
