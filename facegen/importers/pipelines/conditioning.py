"""What a pipeline of diffusers has no place for: facegen's conditioner and settings, in two files of their own."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save_file

from facegen.checkpoint import network_config
from facegen.importers.network_parts import Part, part
from facegen.importers.pipelines.folders import read_json
from facegen.importers.tensor_files import read_tensors
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.diffusion.generator import LatentGenerator

OWN_CONFIG, OWN_WEIGHTS = "facegen.json", "conditioner.safetensors"
FORMAT = 1


class Own(NamedTuple):
    """What facegen knows of a model beside its networks."""

    conditioner: Part | None
    process: dict[str, Any]
    sampling: dict[str, Any]
    controls: list[str]


def write_conditioning(network: LatentGenerator, folder: Path) -> None:
    """Write the conditioner and the settings beside a pipeline."""
    conditioner = network.conditioner
    content = {
        "format": FORMAT,
        "conditioner": None if conditioner is None else network_config(conditioner),
        "process": network.init_kwargs["process"],
        "sampling": network.init_kwargs["sampling"],
        "controls": list(network.control_names),
    }
    (folder / OWN_CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    weights = {} if conditioner is None else conditioner.state_dict()
    if weights:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / OWN_WEIGHTS)


def read_conditioning(folder: Path) -> Own:
    """The same again. Raises ValueError for other files of these names."""
    where = folder / OWN_CONFIG
    content = read_json(where)
    if content.get("format") != FORMAT:
        raise ValueError(f"{where} has format {str(content.get('format'))[:20]}, expected {FORMAT}")
    config, controls = content.get("conditioner"), content.get("controls")
    if not isinstance(controls, list) or not all(isinstance(name, str) for name in controls):
        raise ValueError(f"{where} has controls={str(controls)[:60]}, expected a list of names")
    process, sampling = (content.get(name) for name in ("process", "sampling"))
    if not isinstance(process, dict) or not isinstance(sampling, dict):
        raise ValueError(f"{where} has no process and sampling, expected two JSON objects")
    return Own(None if config is None else _conditioner(config, folder, where), process, sampling, controls)


def _conditioner(config: Any, folder: Path, where: Path) -> Part:
    target = f"{Conditioner.__module__}.{Conditioner.__qualname__}"
    if not isinstance(config, dict) or config.get("_target_") != target:
        raise ValueError(f"{where} has a conditioner that is none of facegen's, expected {target}")
    arguments = {name: value for name, value in config.items() if name != "_target_"}
    path = folder / OWN_WEIGHTS
    return part(Conditioner, arguments, read_tensors(path) if path.is_file() else {})
