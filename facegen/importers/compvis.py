"""Latent diffusion as CompVis saves it (Rombach et al. 2022; Stable Diffusion 1 and 2), as our networks.

Widths and depths are read off the tensors. The configuration says what tensors do not (heads, objective, schedule, size
of the images) and has to agree with them otherwise.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from facegen.diffusion.process import Process
from facegen.importers import compvis_config as configs
from facegen.importers import compvis_names as names
from facegen.importers import compvis_shapes as shapes
from facegen.importers.compvis_config import Heads, ModelConfig
from facegen.importers.network_parts import Part, built, first_stage_part, generator, part, unet_part
from facegen.importers.tensor_files import read_tensors
from facegen.networks.diffusion.conditioner import Conditioner

UNET, FIRST_STAGE, CONTROL, AVERAGE = "model.diffusion_model.", "first_stage_model.", "control_model.", "model_ema."
_DEFAULT_RESOLUTION = 256
_TOKENS = 77  # of CLIP, which all published models with cross-attention were trained with
# Published models are known by widths and context where no configuration is given: FFHQ and CelebA-HQ, and Stable
# Diffusion 1. Those of Stable Diffusion 2 differ in what they predict, which no tensor shows.
_KNOWN = {
    (224, 0): ModelConfig(
        {"image_size": 64, "linear_start": 0.0015, "linear_end": 0.0195}, {"num_head_channels": 32}, {}, {}
    ),
    (320, 768): ModelConfig(
        {"image_size": 64, "linear_start": 0.00085, "linear_end": 0.012, "scale_factor": 0.18215},
        {"num_heads": 8, "use_spatial_transformer": True},
        {"num_heads": 8, "use_spatial_transformer": True},
        {},
    ),
}


class Found(NamedTuple):
    """What a file holds; None where it has no such part."""

    denoiser: Part | None
    first_stage: Part | None
    conditioner: Part | None
    process: dict[str, Any]


def load_compvis(
    path: str | Path,
    config: str | Path | None = None,
    average: bool = True,
    text_encoder: str | Path | None = None,
) -> nn.Module:
    """What a `.ckpt` or `.safetensors` of CompVis holds: a `LatentGenerator`, or a `UNet` or `FirstStage` alone.

    config: its YAML or JSON; None: looked for beside the file (`NAME.yaml`, `NAME.config.json`, `config.yaml`).
    average: take the averaged weights of training (LitEma) where the file has them. text_encoder: folder of the CLIP
    model that embeds prompts; without it the model takes embedded `context`. In eval mode. Nothing of the file is
    executed. Raises ValueError, in one line, for what is damaged or no such model, or of another configuration.
    """
    path = Path(path)
    with located(path):
        return convert_compvis(read_tensors(path), load_config(path, config), average, text_encoder)


def convert_compvis(
    state: Mapping[str, Tensor], config: ModelConfig, average: bool = True, text_encoder: str | Path | None = None
) -> nn.Module:
    """`load_compvis` of tensors that were read."""
    found = find_parts(state, config, average, text_encoder)
    if found.denoiser and found.first_stage:
        return generator(found.first_stage, found.denoiser, found.conditioner, process=found.process)
    if alone := found.denoiser or found.first_stage:
        return built(alone)
    raise ValueError("it has neither a UNet nor a first stage of latent diffusion")


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Errors name the file, once, and are one line."""
    try:
        yield
    except ValueError as error:
        text = " ".join(str(error).split())
        raise ValueError(
            text if str(path) in text or text.startswith("config:") else f"checkpoint: {path}: {text}"
        ) from error


def load_config(path: Path, config: str | Path | None) -> ModelConfig:
    """The configuration that is given, or that lies beside the file; an empty one where there is none."""
    chosen = Path(config).expanduser() if config is not None else configs.find_config(path)
    found = ModelConfig({}, {}, {}, {}) if chosen is None else configs.read_config(chosen)
    configs.check_fixed(found)
    return found


def find_parts(
    state: Mapping[str, Tensor], config: ModelConfig, average: bool = True, text_encoder: str | Path | None = None
) -> Found:
    """Parts of a CompVis model by prefix. Raises ValueError for what does not fit."""
    unet, stage = below(state, UNET), below(state, FIRST_STAGE)
    if not unet and "encoder.conv_in.weight" in state:
        stage = {name: tensor for name, tensor in state.items() if not name.startswith(("loss.", AVERAGE))}
    if unet and average:
        unet = _averaged(state, unet)
    denoiser = conditioner = None
    process: dict[str, Any] = {}
    if unet:
        sizes = shapes.unet_arguments(unet)
        config = known(config, sizes)
        denoiser = convert_unet(unet, config)
        process = _process(state, config)
        conditioner = _conditioner(sizes["token_dim"], text_encoder)
    first_stage = convert_first_stage(stage, config, _scale(state, config), bool(unet)) if stage else None
    return Found(denoiser, first_stage, conditioner, process)


def convert_unet(state: Mapping[str, Tensor], config: ModelConfig) -> Part:
    """A UNetModel whose names begin at `input_blocks`, as our UNet."""
    arguments = encoder_arguments(state, config.unet, configs.latent_size(config))
    interleaved = arguments.pop("interleaved")
    return unet_part(arguments, unet_weights(state, arguments, interleaved))


def unet_weights(
    state: Mapping[str, Tensor], arguments: Mapping[str, Any], interleaved: bool = True
) -> dict[str, Tensor]:
    """Weights of a UNetModel under diffusers' names; arguments: those of our UNet. Some may be missing."""
    return renamed(_split_heads(state, arguments, interleaved), names.unet(layout(arguments)))


def layout(arguments: Mapping[str, Any]) -> names.Layout:
    """What names depend on, of the arguments of our UNet."""
    depth = arguments.get("depth", 1) if arguments["token_dim"] else 0
    return names.Layout(len(arguments["channels"]), arguments["blocks"], depth)


def encoder_arguments(state: Mapping[str, Tensor], params: Mapping[str, Any], size: int | None) -> dict[str, Any]:
    """Arguments of our UNet for a UNetModel or its copy in a ControlNet, and `interleaved`, how heads are stored."""
    arguments = shapes.unet_arguments(state)
    configs.check_sizes(params, arguments)
    how: Heads = configs.heads(params, arguments["channels"], arguments["attention"], arguments["token_dim"] == 0)
    side = size or _DEFAULT_RESOLUTION // 4
    return {"size": side, **arguments, **how._asdict()}


def convert_first_stage(state: Mapping[str, Tensor], config: ModelConfig, scale: float, with_unet: bool) -> Part:
    """An AutoencoderKL or VQModel as our first stage; `with_unet`: its latents say how large images are."""
    sizes = shapes.first_stage_arguments(state)
    configs.check_first_stage(config, sizes)
    factor, latents = 2 ** (len(sizes["channels"]) - 1), configs.latent_size(config)
    side = latents * factor if with_unet and latents else configs.image_resolution(config) or _DEFAULT_RESOLUTION
    arguments = {**sizes, "img_resolution": side, "scaling_factor": scale}
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(("loss.", AVERAGE))}
    return first_stage_part(arguments, renamed(kept, names.first_stage(len(sizes["channels"]), sizes["blocks"])))


def renamed(state: Mapping[str, Tensor], modules: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights under their new names; 1x1 convolutions of attention become matrices, which diffusers has in their place.

    Raises ValueError for a name that is not listed.
    """
    found = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        if module not in modules:
            raise ValueError(f"it has weights for {name[:100]}, which no such network has")
        matrix = kind == "weight" and modules[module].endswith((".to_q", ".to_k", ".to_v", ".to_out.0"))
        found[f"{modules[module]}.{kind}"] = tensor.flatten(1) if matrix else tensor
    return found


def _split_heads(state: Mapping[str, Tensor], arguments: Mapping[str, Any], interleaved: bool) -> dict[str, Tensor]:
    """Plain attention's joint projection as three: stored as [q, k, v] of head 1, of head 2, ...; or all q, k, v."""
    found = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        if not module.endswith(".qkv"):
            found[name] = tensor
            continue
        head = arguments["head_channels"]
        if len(tensor) % (3 * head):
            raise ValueError(f"{name} has {len(tensor)} rows, expected a multiple of 3 x {head} channels per head")
        shape = (-1, 3, head) if interleaved else (3, -1, head)
        rows = tensor.unflatten(0, shape).movedim(1 if interleaved else 0, 0).flatten(1, 2)
        found |= {f"{module.removesuffix('qkv')}{letter}.{kind}": own for letter, own in zip("qkv", rows, strict=True)}
    return found


def _averaged(state: Mapping[str, Tensor], unet: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The averages of a UNet's parameters where the file has them."""
    if not any(name.startswith(AVERAGE) for name in state):
        return unet
    wrapped = [f"{UNET.removeprefix('model.')}{name}" for name in unet]
    found = {}
    for shadow, name in names.averaged(wrapped).items():
        if AVERAGE + shadow not in state:
            raise ValueError(f"it has no average of {name}; take the weights as they are with average=false")
        found[name.removeprefix(UNET.removeprefix("model."))] = state[AVERAGE + shadow]
    return found


def _process(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Any]:
    """The diffusion process of the configuration, which the schedule in the file has to confirm."""
    arguments = configs.process_arguments(config)
    stored = state.get("alphas_cumprod")
    if stored is not None:
        ours = Process(**arguments).alphas_cumprod
        if stored.shape != ours.shape or not torch.allclose(stored.double(), ours, rtol=1e-4, atol=1e-6):
            raise ValueError(
                f"the noise schedule in it is not that of the configuration (betas {arguments['beta_start']} to "
                f"{arguments['beta_end']}); give the configuration that belongs to the file, config=PATH.yaml"
            )
    return arguments


def _scale(state: Mapping[str, Tensor], config: ModelConfig) -> float:
    """Factor of the latents: measured in training and stored, or configured."""
    if (stored := state.get("scale_factor")) is not None and stored.numel() == 1:
        return float(stored)
    return configs.number(config.model, "scale_factor", 1.0)


def _conditioner(token_dim: int, text_encoder: str | Path | None) -> Part | None:
    if token_dim == 0:
        return None
    return text_conditioner(token_dim, text_encoder)


def text_conditioner(token_dim: int, text_encoder: str | Path | None, tokens: int = _TOKENS) -> Part:
    """Prompts through a text encoder in a folder, or `tokens` that something else embedded, zeros when left out."""
    if text_encoder is not None:
        inputs = {"caption": {"kind": "text", "encoder": str(text_encoder), "null": "empty", "tokens": tokens}}
        return part(Conditioner, {"inputs": inputs, "width": token_dim}, {})
    inputs = {"context": {"kind": "tokens", "size": token_dim, "tokens": tokens}}
    return part(Conditioner, {"inputs": inputs, "width": token_dim}, {"nulls.context": torch.zeros(tokens, token_dim)})


def known(config: ModelConfig, sizes: Mapping[str, Any]) -> ModelConfig:
    """The configuration, or that of the published model with these widths where there is none."""
    if config.unet or config.control or config.model:
        return config
    found = _KNOWN.get((sizes["channels"][0], sizes["token_dim"]))
    if found is None:
        raise ValueError(
            f"there is no configuration beside it, and a UNet of {sizes['channels'][0]} channels is not one that "
            "facegen knows; give its configuration, config=PATH.yaml"
        )
    return found


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
