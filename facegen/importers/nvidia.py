"""NVIDIA's network pickles (StyleGAN2-ADA, StyleGAN3's StyleGAN2, EG3D) without executing them.

The files hold Python objects together with the source code of their classes. `read_pickle` turns them into plain
data; the source is never compiled. `load_pickle` builds our own networks from the stored constructor arguments and
fills them with the stored tensors.
"""

import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

from torch import nn

from facegen.checkpoint.inert import Global, Rules, read
from facegen.checkpoint.safe_pickle import SCALAR_RULES, SET_RULES
from facegen.importers.eg3d_attributes import apply_attributes
from facegen.importers.pickled_module import PickledModule
from facegen.importers.proportions import Allowance, accepted
from facegen.importers.torch_legacy import tensor_rules
from facegen.networks.ada import AugmentPipe
from facegen.networks.eg3d import DualDiscriminator, DummyDualDiscriminator, SingleDiscriminator, TriPlaneGenerator
from facegen.networks.eg3d.generator import LABEL_STD
from facegen.networks.stylegan2 import Discriminator, Generator

# Official class name -> our class, which takes the official arguments.
NETWORK_CLASSES: dict[str, type[nn.Module]] = {
    "Generator": Generator,
    "Discriminator": Discriminator,
    "AugmentPipe": AugmentPipe,
    "TriPlaneGenerator": TriPlaneGenerator,
    "DualDiscriminator": DualDiscriminator,
    "SingleDiscriminator": SingleDiscriminator,
    "DummyDualDiscriminator": DummyDualDiscriminator,
}

# Ordinary modules inside the published networks, stored by class name.
_PLAIN_MODULES = (
    Global("torch.nn.modules.activation", "Softplus"),
    Global("torch.nn.modules.container", "Sequential"),
    Global("training.triplane", "OSGDecoder"),
    Global("training.volumetric_rendering.ray_marcher", "MipRayMarcher2"),
    Global("training.volumetric_rendering.ray_sampler", "RaySampler"),
    Global("training.volumetric_rendering.renderer", "ImportanceRenderer"),
)


def _persistent_module(meta: Any) -> PickledModule:
    if type(meta) is not dict or meta.get("type") != "class" or type(meta.get("class_name")) is not str:
        raise ValueError("a persistent object is not described as the class of a module")
    module = PickledModule(meta["class_name"])
    module.build(meta.get("state"))
    return module


def _empty_dict() -> dict[Any, Any]:
    return {}


def _rules(size: int) -> Rules:
    """What a network pickle of `size` bytes may contain."""
    return Rules(
        reduce={
            Global("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_module,
            Global("collections", "OrderedDict"): _empty_dict,
            **SET_RULES,
            **tensor_rules(size),
            **SCALAR_RULES,
        },
        new={
            Global("dnnlib.util", "EasyDict"): dict,
            **{kind: (lambda name=kind.name: PickledModule(name)) for kind in _PLAIN_MODULES},
        },
    )


def read_pickle(path: str | Path) -> dict[str, Any]:
    """The contents of a network pickle as data: `PickledModule`s, tensors, numbers, text and containers of them.

    Raises ValueError, in one line, for a file that is damaged or contains anything that a file of weights does not.
    """
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path}: the file is empty, expected a network pickle")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        try:
            contents = read(cast(IO[bytes], stream), _rules(size))
        except ValueError as error:
            raise ValueError(f"{path}: {error}; expected an unchanged network pickle of NVIDIA's") from error
    if type(contents) is not dict:
        raise ValueError(f"{path}: got a {type(contents).__name__}, expected a dictionary of networks")
    return contents


def build_network(class_name: str, init_args: Sequence[Any], init_kwargs: Mapping[str, Any]) -> nn.Module:
    """Our network for an official class name (with or without its module) and official constructor arguments.

    Arguments of the StyleGAN2-ADA and the StyleGAN3 repositories are both understood.
    Raises ValueError for a class that facegen has not, and for arguments that it does not take.
    """
    network_class = NETWORK_CLASSES.get(class_name.rpartition(".")[2])
    if network_class is None:
        supported = ", ".join(NETWORK_CLASSES)
        raise ValueError(f"nvidia: got the class {class_name[:60]!r}, which facegen cannot build; expected {supported}")
    try:
        return network_class(*init_args, **accepted(init_kwargs))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"nvidia: {class_name} does not take the stored arguments ({reason})") from error


def restore(module: PickledModule) -> nn.Module:
    """Build our network for a stored one and fill it; names and shapes must agree exactly.

    EG3D's generators also get the attributes that they were stored with (see `eg3d_attributes`), plane axes included.
    """
    stored = {**module.parameters(), **module.buffers()}
    with Allowance(2 * sum(tensor.numel() for tensor in stored.values()) + 2**16):
        network = build_network(module.class_name, module.init_args, module.init_kwargs)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in stored.items()}
    if isinstance(network, TriPlaneGenerator) and LABEL_STD in got:
        expected[LABEL_STD] = got[LABEL_STD]  # training added it to its snapshots; the network takes it
    if got != expected:
        name = sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name))[0]
        raise ValueError(
            f"nvidia: {module.class_name} has {name[:100]!r} of shape {got.get(name)}, expected {expected.get(name)}"
        )
    network.load_state_dict(stored, strict=True)
    apply_attributes(network, module)
    return network.train(module.state.get("training") is True)


def load_pickle(path: str | Path) -> dict[str, nn.Module | object]:
    """Networks and plain values of a network pickle under their names there (`G`, `D`, `G_ema`, ...).

    Networks are facegen's, on the CPU, in the mode in which they were stored. Nothing in the file is executed;
    ValueError for a file with anything unexpected, or a network that facegen has not.
    """
    try:
        return {
            name: restore(value) if isinstance(value, PickledModule) else value
            for name, value in read_pickle(path).items()
        }
    except ValueError as error:
        message = " ".join(str(error).split())[:500]
        raise ValueError(message if message.startswith(str(path)) else f"{path}: {message}") from error
