"""A network from a path: a run, an export, or a file that others published."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facegen.checkpoint import CONFIG_NAME, WEIGHTS_NAME
from facegen.importers.foreign import Options, is_own, load_foreign

# What people call networks that generate nothing on their own.
_KINDS = {"ReconstructionNetwork": "reconstruction network", "FirstStage": "first stage of latent diffusion"}
_KINDS |= {"ParsingNetwork": "parser of face parts", "BiSeNet": "parser of face parts"}
_KINDS |= {"UNet": "denoiser without a first stage", "ControlBranch": "control branch without a model to control"}


def load_generator(checkpoint: str, device: str) -> Any:
    """The generator (EMA weights, eval mode) of a run, an export, a `.ckpt` or an NVIDIA pickle, on `device`."""
    network = load_any(Path(checkpoint))
    if not hasattr(network, "z_dim"):
        kind = type(network).__name__
        raise ValueError(f"checkpoint: {checkpoint} holds a {_KINDS.get(kind, kind)}, expected a generator")
    return network.to(pick_device(device)).eval().requires_grad_(False)


def load_any(path: Path, options: Options = Options()) -> nn.Module:  # noqa: B008  # immutable
    """`facegen.load`, and files of others, read as data and told apart by what they hold; options: of such files."""
    path = path.expanduser()
    if not path.exists():
        raise ValueError(f"checkpoint: {path} does not exist; expected a run folder, an export, a .ckpt or a .pkl file")
    if path.suffix in (".pkl", ".pickle"):
        from facegen.importers.nvidia import load_pickle  # only where a pickle is given

        networks = load_pickle(path)
        generator = networks.get("G_ema")
        if not isinstance(generator, nn.Module):
            raise ValueError(f"checkpoint: {path} holds {', '.join(networks)}, expected a network named G_ema")
        return generator
    if _is_facegens(path):
        from facegen.checkpoint import load

        return load(path)
    return load_foreign(path, options)


def _is_facegens(path: Path) -> bool:
    """Whether facegen wrote it: a training checkpoint, or an export, by its folder or by its file of weights."""
    if path.is_dir():
        from facegen.importers.pipelines import is_pipeline_folder

        return not is_pipeline_folder(path)
    if path.suffix == ".safetensors":
        return path.name == WEIGHTS_NAME and (path.parent / CONFIG_NAME).is_file()
    return is_own(path)


def pick_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one."""
    if name not in ("auto", "cpu", "cuda") and not re.fullmatch(r"cuda:\d+", name):
        raise ValueError(f"device: got {name!r}, expected auto, cpu, cuda or cuda:N")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device: got {name}, but PyTorch sees no GPU here; use device=cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
