"""Tensors by name from files of others: safetensors, and what `torch.save` wrote, with training's objects around them.

A checkpoint of PyTorch Lightning pickles callbacks and settings beside the tensors. PyTorch's own restricted reader
refuses such a file whole; here what is no tensor is read as nothing, and never made.
"""

import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from facegen.checkpoint.files import ZIP_ERRORS, check_file
from facegen.checkpoint.inert import Global, Rules, read
from facegen.checkpoint.safe_pickle import ARRAY_RULES
from facegen.importers.torch_legacy import STORAGES, rebuild_tensor

_INSIDE = ("state_dict", "model", "module")  # where programs put the tensors of a network
_INERT = {  # packages whose objects stand beside the tensors of published checkpoints
    *("pytorch_lightning", "lightning", "lightning_fabric", "omegaconf", "ldm", "taming", "cldm"),
    *("argparse", "pathlib", "typing", "fractions"),
}
_DICTIONARIES = {Global("collections", name) for name in ("OrderedDict", "defaultdict", "Counter")}
_PLAIN = {Global(module, name) for module in ("builtins", "__builtin__") for name in ("int", "float", "bool", "str")}
_PLAIN |= {Global(module, name) for module in ("builtins", "__builtin__") for name in ("dict", "list", "tuple")}
_MOST_PICKLE = 2**28  # bytes of names and structure; the tensors lie beside them


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a network by their names, on the CPU, in the types in which they are stored.

    Of a training checkpoint those of its `state_dict`. Nothing of the file is executed. Raises ValueError, in one line
    that names the file, for a damaged one and for one that holds anything else.
    """
    path = Path(path)
    try:
        check_file(path)
        content = load_file(path) if is_safetensors(path) else _read_torch(path)
        return _tensors(content)
    except OSError as error:
        raise ValueError(f"checkpoint: {path} cannot be read ({error.strerror or error})") from error
    except SafetensorError as error:
        raise ValueError(f"checkpoint: {path} is not a whole file of safetensors ({error})") from error
    except ValueError as error:
        raise ValueError(f"checkpoint: {path}: {' '.join(str(error).split())[:400]}") from error


def is_safetensors(path: Path) -> bool:
    """By its first bytes: the length of a header, and a brace."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _tensors(content: Any) -> dict[str, Tensor]:
    for name in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, expected tensors by name")
    found = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not found:
        names = ", ".join(str(name)[:40] for name in list(content)[:4]) or "nothing"
        raise ValueError(f"it holds {names}, expected tensors by name, or a state_dict of them")
    return found


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if not zipfile.is_zipfile(path):
            raise ValueError(f"it is not a file of tensors ({_first_line(error)})") from error
    except Exception as error:
        raise ValueError(f"it is not a whole file of tensors ({_first_line(error)})") from error
    return _read_zip(path)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class Stored(NamedTuple):
    """Where numbers lie in the archive."""

    record: str
    dtype: torch.dtype
    numel: int


class View(NamedTuple):
    """A tensor that is not read yet: most of a training checkpoint is an optimiser's, which nobody needs."""

    stored: Any
    layout: tuple[Any, ...]


class _PassedOver(dict[Any, Any]):
    """Stands where an object was: what it holds as a dictionary, like the ordered one of a `state_dict`, or nothing."""

    def __init__(self, *_arguments: Any) -> None:
        super().__init__()

    def build(self, _state: Any) -> None:
        """Whatever else it was made of."""


def _read_zip(path: Path) -> dict[str, Tensor]:
    """The `state_dict` of an archive of `torch.save` whose other contents are passed over."""
    try:
        with zipfile.ZipFile(path) as archive:
            records = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(records) != 1 or archive.getinfo(records[0]).file_size > _MOST_PICKLE:
                raise ValueError("it is no archive of torch.save")
            with archive.open(records[0]) as stream:
                rules = _rules(stream)
            with archive.open(records[0]) as stream:
                content = read(stream, rules)
            return _filled(content, archive, records[0].removesuffix("data.pkl"))
    except ZIP_ERRORS as error:
        raise ValueError(f"it is not a whole archive of torch.save ({_first_line(error)})") from error


def _rules(stream: IO[bytes]) -> Rules:
    """What this file names that is harmless because it is passed over, beside tensors."""
    try:
        named = {
            Global(*str(argument).split(" ", 1))
            for opcode, argument, _ in pickletools.genops(stream)
            if opcode.name == "GLOBAL"
        }
    except ValueError as error:
        raise ValueError(f"its pickle is damaged ({error})") from error
    inert = {name for name in named if name.module.partition(".")[0] in _INERT} | _DICTIONARIES
    return Rules(
        reduce={
            Global("torch._utils", "_rebuild_tensor_v2"): lambda stored, *layout: View(stored, layout),
            Global("torch._utils", "_rebuild_parameter"): lambda view, *_: view,
            **ARRAY_RULES.reduce,
            **dict.fromkeys(inert, _PassedOver),
        },
        new=dict.fromkeys(inert, _PassedOver),
        names=frozenset({*STORAGES, *_PLAIN, *inert}) | ARRAY_RULES.names,
        persistent=_stored,
    )


def _stored(persistent_id: Any) -> Stored:
    match persistent_id:
        case ("storage", Global() as kind, str(key), str(), int(numel)) if kind in STORAGES and numel >= 0:
            return Stored(f"data/{key}", STORAGES[kind], numel)
    raise ValueError("a storage is not described as torch.save does")


def _filled(content: Any, archive: zipfile.ZipFile, root: str) -> dict[str, Tensor]:
    views = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(views, dict):
        raise ValueError("it has objects of a program but no state_dict")
    storages: dict[str, Tensor] = {}
    found = {}
    for name, view in views.items():
        if not isinstance(view, View):
            continue
        if not isinstance(view.stored, Stored):
            raise ValueError(f"{str(name)[:60]} is a tensor without a storage")
        if view.stored.record not in storages:
            storages[view.stored.record] = _storage(archive, root, view.stored)
        found[str(name)] = rebuild_tensor(storages[view.stored.record], *view.layout)
    return found


def _storage(archive: zipfile.ZipFile, root: str, stored: Stored) -> Tensor:
    size = stored.numel * torch.empty([], dtype=stored.dtype).element_size()
    try:
        record = archive.getinfo(root + stored.record)
    except KeyError:
        raise ValueError(f"it has no record {stored.record[:60]}; the file is not whole") from None
    if record.file_size != size:
        raise ValueError(f"the record {stored.record[:60]} has {record.file_size} bytes, expected {size}")
    if size == 0:
        return torch.empty([0], dtype=stored.dtype)
    return torch.frombuffer(bytearray(archive.read(record)), dtype=stored.dtype)
