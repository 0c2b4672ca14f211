"""Weights of others, told apart by what they hold and not by what they are called."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from facegen.data.masks import FACE_PARSING
from facegen.importers.tensor_files import is_safetensors, read_tensors
from facegen.networks.bisenet import published_bisenet

_FACEGEN, _DEEP3D, _BISENET = "facegen", "net_recon", "cp.resnet.conv1.weight"
_FOREIGN = {  # what else is found in such files, by a part of a name that tells
    "lora": "LoRA weights, which change another model",
    "conditioner.embedders": "Stable Diffusion XL, which facegen has not",
    "model.diffusion_model.double_blocks": "FLUX, which facegen has not",
    "model.diffusion_model.joint_blocks": "Stable Diffusion 3, which facegen has not",
    "down_blocks.0.resnets": "one component of diffusers; give its folder, with config.json, in place of the file",
}


class Options(NamedTuple):
    """What files of others may need beside themselves.

    config: YAML or JSON of a CompVis model. base: the model that a control branch is attached to, and name, under which
    name. average: averaged weights where a file has them. text_encoder: folder of a CLIP model.
    """

    config: Path | None = None
    base: nn.Module | None = None
    name: str = "control"
    average: bool = True
    text_encoder: Path | None = None


def is_own(path: Path) -> bool:
    """Whether facegen's training wrote a checkpoint; cheap, as no tensor is read."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # whatever is wrong with it is said by who reads it as something
        return False
    return isinstance(content, Mapping) and _FACEGEN in content


def load_foreign(path: Path, options: Options = Options()) -> nn.Module:  # noqa: B008  # immutable
    """A network from a folder of diffusers, or from a file of CompVis, ControlNet, Deep3DFaceRecon or BiSeNet.

    Nothing in it is executed. Raises ValueError, in one line that names the file, for anything else.
    """
    if path.is_dir():
        from facegen.importers.pipelines import load_pipeline

        return load_pipeline(path, options.base, options.name, options.text_encoder)
    if _holds_deep3d(path):
        from facegen.importers.deep3d import load_reconstruction

        return load_reconstruction(path)
    from facegen.importers.compvis import convert_compvis, load_config, located
    from facegen.importers.controlnet import convert_controlnet, is_controlnet

    state, base, name = read_tensors(path), options.base, options.name
    with located(path):
        for tells, meaning in _FOREIGN.items():
            if any(tells in key for key in state):
                raise ValueError(f"it holds {meaning}")
        if any(key.removeprefix("module.") == _BISENET for key in state):
            return published_bisenet(state, FACE_PARSING)
        config = load_config(path, options.config)
        if is_controlnet(state):
            return convert_controlnet(state, config, base, name, options.average, options.text_encoder)
        return convert_compvis(state, config, options.average, options.text_encoder)


def _holds_deep3d(path: Path) -> bool:
    if not path.is_file() or is_safetensors(path):
        return False
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception:  # whatever is wrong with it is said by who reads it as tensors
        return False
    return isinstance(content, Mapping) and _DEEP3D in content
