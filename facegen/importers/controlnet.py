"""ControlNets as their authors save them (Zhang et al. 2023): a branch, with or without the model that it controls."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from facegen.importers import compvis_config as configs
from facegen.importers import compvis_names as names
from facegen.importers import compvis_shapes as shapes
from facegen.importers.compvis import (
    CONTROL,
    below,
    encoder_arguments,
    find_parts,
    known,
    layout,
    load_config,
    located,
    renamed,
)
from facegen.importers.compvis_config import ModelConfig
from facegen.importers.network_parts import Part, built, control_part, generator, parts_of
from facegen.importers.tensor_files import read_tensors
from facegen.networks.diffusion.generator import LatentGenerator

DEFAULT_NAME = "control"
_ENCODER = ("channels", "blocks", "attention", "token_dim", "in_channels", "linear_projection", "depth")


def is_controlnet(state: Iterable[str]) -> bool:
    """Whether tensors of these names are those of a ControlNet."""
    return any(name.removeprefix(CONTROL).startswith("input_hint_block.") for name in state)


def load_controlnet(
    path: str | Path,
    config: str | Path | None = None,
    base: nn.Module | None = None,
    name: str = DEFAULT_NAME,
    average: bool = True,
    text_encoder: str | Path | None = None,
) -> nn.Module:
    """A ControlNet's `.pth` or `.safetensors`: a `LatentGenerator` with a control of this name, or a `ControlBranch`.

    base: the model to control; None: the one in the file. The branch comes alone where there is none. config, average,
    text_encoder: as for `load_compvis`. In eval mode. Nothing of the file is executed. Raises ValueError, in one line,
    for what is damaged, for other files, and for a base whose encoder is another.
    """
    path = Path(path)
    with located(path):
        return convert_controlnet(read_tensors(path), load_config(path, config), base, name, average, text_encoder)


def convert_controlnet(
    state: Mapping[str, Tensor],
    config: ModelConfig,
    base: nn.Module | None = None,
    name: str = DEFAULT_NAME,
    average: bool = True,
    text_encoder: str | Path | None = None,
) -> nn.Module:
    """`load_controlnet` of tensors that were read."""
    branch = convert_control(state, config)
    if base is not None:
        return attached(base, {name: branch})
    found = find_parts(state, config, average, text_encoder)
    if found.denoiser is None or found.first_stage is None:
        return built(branch)
    return generator(found.first_stage, found.denoiser, found.conditioner, {name: branch}, found.process)


def convert_control(state: Mapping[str, Tensor], config: ModelConfig) -> Part:
    """The branch of a ControlNet as ours. Raises ValueError where there is none, and for what does not fit."""
    own = below(state, CONTROL) or {name: tensor for name, tensor in state.items() if not name.startswith("model")}
    if not is_controlnet(own):
        raise ValueError(f"it has no {CONTROL}input_hint_block, expected a ControlNet of its authors")
    config = known(config, shapes.unet_arguments(own))
    arguments = encoder_arguments(own, config.control or config.unet, configs.latent_size(config))
    arguments.pop("interleaved")
    if arguments["token_dim"] == 0:
        raise ValueError("its attention is plain, expected the transformer blocks of a published ControlNet")
    weights = control_weights(own, arguments, shapes.hint_layers(own))
    only_mid = bool(config.model.get("only_mid_control", False))
    return control_part({"unet": arguments, **shapes.hint_arguments(own), "only_mid": only_mid}, weights)


def control_weights(state: Mapping[str, Tensor], arguments: Mapping[str, Any], hint_layers: int) -> dict[str, Tensor]:
    """Weights of a branch under diffusers' names; arguments: those of our UNet. Some may be missing."""
    return renamed(state, names.control(layout(arguments), hint_layers))


def attached(base: nn.Module, branches: Mapping[str, Part]) -> LatentGenerator:
    """A model with more controls. Raises ValueError where a branch is not of such a UNet, or a name is taken."""
    if not isinstance(base, LatentGenerator):
        raise ValueError(f"base: got a {type(base).__name__}, expected a latent diffusion model to control")
    parts: dict[str, Any] = parts_of(base)
    if taken := sorted(parts["controls"].keys() & branches.keys()):
        raise ValueError(f"name: the base has a control called {taken[0]}, expected a new name")
    unet = base.denoiser.init_kwargs
    for name, branch in branches.items():
        theirs = branch.config["unet"]
        if wrong := [key for key in _ENCODER if theirs.get(key, unet.get(key)) != unet.get(key)]:
            key = wrong[0]
            raise ValueError(
                f"base: the control {name} is of a UNet with {key}={theirs[key]}, the base has {unet.get(key)}"
            )
    own = {name: on_unet(branch, unet) for name, branch in branches.items()}
    return generator(**{**parts, "controls": {**parts["controls"], **own}})


def on_unet(branch: Part, unet: Mapping[str, Any]) -> Part:
    """A branch with the settings of the UNet that its own file does not have; how it splits its heads it knows."""
    heads = {name: branch.config["unet"][name] for name in ("head_channels", "num_heads")}
    shared = {name: value for name, value in unet.items() if name != "_target_"}
    return branch._replace(config={**branch.config, "unet": {**shared, **heads}})
