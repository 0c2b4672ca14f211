"""Files of a folder that diffusers wrote, read as data."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from facegen.importers.tensor_files import read_tensors

INDEX, CONFIG, SCHEDULER_CONFIG = "model_index.json", "config.json", "scheduler_config.json"
WEIGHTS = "diffusion_pytorch_model"
_MOST_BYTES = 2**24
# Attention as diffusers called its parts before 0.15, in which published folders still have them.
_FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_FORMER_NAME = re.compile(r"(\.attentions\.\d+\.)(query|key|value|proj_attn)\.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ValueError, in one line that names the file, for anything else."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, expected at most {_MOST_BYTES}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"checkpoint: {path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"checkpoint: {path} is not readable JSON ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(content, dict):
        raise ValueError(f"checkpoint: {path} holds a {type(content).__name__}, expected a JSON object")
    return content


def read_index(folder: Path) -> tuple[str, dict[str, str]]:
    """Class of a pipeline, and the classes of the components that it has by their names, which are names of folders.

    Raises ValueError for names that lead elsewhere.
    """
    content = read_json(folder / INDEX)
    components = {}
    for name, value in content.items():
        if Path(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"checkpoint: {folder / INDEX} names the component {name[:60]!r}, expected a folder in it")
        if isinstance(value, list) and len(value) == 2 and all(isinstance(word, str) for word in value):
            components[name] = value[1]
    return str(content.get("_class_name", "")), components


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a component by diffusers' names: one file or several, safetensors before `.bin`.

    Raises ValueError where there are none, and for an index that names files elsewhere.
    """
    for ending in (".safetensors", ".fp16.safetensors", ".bin"):
        if (path := folder / f"{WEIGHTS}{ending}").is_file():
            return _current(read_tensors(path))
        if (path := folder / f"{WEIGHTS}{ending}.index.json").is_file():
            return _current(_read_parts(path))
    raise ValueError(f"checkpoint: {folder} has no {WEIGHTS}.safetensors or .bin; the folder is not whole")


def _read_parts(index: Path) -> dict[str, Tensor]:
    files = read_json(index).get("weight_map")
    if not isinstance(files, Mapping) or not all(isinstance(name, str) for name in files.values()):
        raise ValueError(f"checkpoint: {index} has no weight_map of names")
    found: dict[str, Tensor] = {}
    for name in sorted(set(files.values())):
        if Path(name).name != name:
            raise ValueError(f"checkpoint: {index} names the file {name[:60]!r}, expected one beside it")
        found |= read_tensors(index.with_name(name))
    return found


def _current(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {_FORMER_NAME.sub(lambda m: f"{m[1]}{_FORMER[m[2]]}.", name): tensor for name, tensor in state.items()}
