"""Networks that an importer found: their configurations and weights, and how they become one generator."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from facegen.checkpoint import build_network
from facegen.importers.proportions import Allowance
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet

_SPARE = 2**20  # numbers that a network may have beside its weights


class Part(NamedTuple):
    """One network, as `facegen.checkpoint` describes networks, and its weights by our names."""

    config: dict[str, Any]
    weights: dict[str, Tensor]


def part(network: type[nn.Module], arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Part:
    """A part of a class of facegen.networks; weights become float32."""
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    return Part({"_target_": f"{network.__module__}.{network.__qualname__}", **arguments}, floats)


def unet_part(arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Part:
    """A denoiser with weights by diffusers' names."""
    return part(UNet, arguments, {f"model.{name}": tensor for name, tensor in weights.items()})


def first_stage_part(arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Part:
    """A first stage with weights by diffusers' names."""
    scale = {"scaling_factor": torch.tensor(float(arguments["scaling_factor"]))}
    return part(FirstStage, arguments, {f"model.{name}": tensor for name, tensor in weights.items()} | scale)


def control_part(arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Part:
    """A control branch with weights by diffusers' names."""
    return part(ControlBranch, arguments, {f"model.{name}": tensor for name, tensor in weights.items()})


def built(found: Part) -> nn.Module:
    """The network of one part, in eval mode. Raises ValueError where weights and configuration do not fit."""
    with Allowance(_numbers(found)):
        network = build_network(found.config)
    return filled(network, found.weights)


def generator(
    first_stage: Part,
    denoiser: Part,
    conditioner: Part | None = None,
    controls: Mapping[str, Part] | None = None,
    process: Mapping[str, Any] | None = None,
    sampling: Mapping[str, Any] | None = None,
) -> LatentGenerator:
    """A whole model of its parts, in eval mode. Raises ValueError where they do not fit, or not each other."""
    branches = dict(controls or {})
    parts = {"first_stage": first_stage, "denoiser": denoiser} | ({"conditioner": conditioner} if conditioner else {})
    parts |= {f"controls.{name}": branch for name, branch in branches.items()}
    with Allowance(sum(_numbers(each) for each in parts.values())):
        network = LatentGenerator(
            first_stage.config,
            denoiser.config,
            conditioner.config if conditioner else None,
            dict(process or {}),
            dict(sampling or {}),
            {name: branch.config for name, branch in branches.items()},
        )
    weights = {f"{prefix}.{name}": tensor for prefix, each in parts.items() for name, tensor in each.weights.items()}
    filled(network, weights)
    return network


def parts_of(network: LatentGenerator) -> dict[str, Any]:
    """A generator as arguments of `generator`."""
    kwargs, state = network.init_kwargs, network.state_dict()

    def of(config: dict[str, Any], prefix: str) -> Part:
        names = [name for name in state if name.startswith(f"{prefix}.")]
        return Part(config, {name.removeprefix(f"{prefix}."): state[name] for name in names})

    return {
        "first_stage": of(kwargs["first_stage"], "first_stage"),
        "denoiser": of(kwargs["denoiser"], "denoiser"),
        "conditioner": of(kwargs["conditioner"], "conditioner") if kwargs["conditioner"] else None,
        "controls": {name: of(config, f"controls.{name}") for name, config in (kwargs["controls"] or {}).items()},
        "process": kwargs["process"],
        "sampling": kwargs["sampling"],
    }


def filled(network: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The network with these weights: every one that it has, in its shape, finite, and no other; else ValueError."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in weights:
            raise ValueError(f"it has no weights for {name}; the file is not whole, or its configuration is another's")
        if weights[name].shape != tensor.shape:
            got, wanted = tuple(weights[name].shape), tuple(tensor.shape)
            raise ValueError(f"{name} has shape {got}, expected {wanted}; is the configuration that of the file?")
        if not bool(weights[name].isfinite().all()):
            raise ValueError(f"{name} has numbers that are not finite; the file is damaged")
    if strange := sorted(weights.keys() - expected.keys()):
        raise ValueError(f"it has weights for {strange[0]}, which the configured network has not")
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def _numbers(found: Part) -> int:
    """How many numbers building a part may make: a branch also describes the UNet that it was copied from."""
    return 4 * sum(tensor.numel() for tensor in found.weights.values()) + _SPARE
