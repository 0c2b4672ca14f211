"""Weights as safetensors, configuration as JSON, and `facegen.load`, which never executes what it reads."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
FORMAT = 1
_NETWORKS = "facegen.networks."


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on any error it disappears.

    Whoever reads `path` sees the old file or the whole new one, also after a crash or a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Where the program keeps what it can make or get again: $FACEGEN_CACHE, or ~/.cache/facegen."""
    return Path(os.environ.get("FACEGEN_CACHE") or "~/.cache/facegen").expanduser().absolute()


def package_file(package: str, name: str) -> Path | None:
    """A file of weights inside an installed package, whose code is not imported; None where there is none."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / name).is_file():
            return path
    return None


def network_config(network: nn.Module) -> dict[str, Any]:
    """Class and constructor arguments of a network, as plain JSON values: enough to build it again."""
    kwargs: Any = getattr(network, "init_kwargs", None)
    if kwargs is None:
        raise ValueError(f"got a {type(network).__name__}, expected a network that keeps its `init_kwargs`")
    return {"_target_": f"{type(network).__module__}.{type(network).__qualname__}", **kwargs}


def build_network(config: Mapping[str, Any]) -> nn.Module:
    """Build a network from `network_config`. Only classes of facegen.networks are accepted."""
    arguments = dict(config)
    target = str(arguments.pop("_target_", ""))
    module_name, _, class_name = target.rpartition(".")
    if not target.startswith(_NETWORKS):
        raise ValueError(f"checkpoint: got the class {target!r}, expected one of {_NETWORKS}*")
    try:
        network_class = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"checkpoint: got the class {target!r}, which this version of facegen has not") from error
    if not (isinstance(network_class, type) and issubclass(network_class, nn.Module)):
        raise ValueError(f"checkpoint: got {target!r}, expected the class of a network")
    try:
        return network_class(**arguments)
    except TypeError as error:
        raise ValueError(f"checkpoint: {target} does not take the stored arguments: {error}") from error


def save_network(network: nn.Module, folder: str | Path, extra: Mapping[str, Any] | None = None) -> Path:
    """Write `model.safetensors` and `config.json` to `folder`; `extra` (plain values) is kept in the JSON."""
    folder = Path(folder)
    config = {"format": FORMAT, "network": network_config(network), "extra": dict(extra or {})}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic_write(folder / WEIGHTS_NAME) as temporary:
        save_file(weights, temporary)
    with atomic_write(folder / CONFIG_NAME) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n")
    return folder


def checkpoint_files(run: str | Path) -> list[Path]:
    """Training checkpoints of a run folder, oldest first."""
    return sorted(Path(run).glob("checkpoints/[0-9]*.ckpt"))


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a training checkpoint as data (tensors and plain containers); anything else raises ValueError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise ValueError(f"checkpoint: got {path}, which does not exist") from None
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"checkpoint: {path} is not a readable training checkpoint ({reason})") from error


def _load_export(folder: Path) -> nn.Module:
    try:
        config = json.loads((folder / CONFIG_NAME).read_text())
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS_NAME)
    except (OSError, json.JSONDecodeError, SafetensorError) as error:
        raise ValueError(f"checkpoint: {folder} is not a readable export ({error})") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        got = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise ValueError(f"checkpoint: {folder / CONFIG_NAME} has format {got!r}, expected {FORMAT}")
    return _fill(build_network(config["network"]), weights, folder)


def _load_training(path: Path) -> nn.Module:
    checkpoint = read_checkpoint(path)
    if "facegen" not in checkpoint:
        raise ValueError(f"checkpoint: {path} was not written by facegen (no 'facegen' entry)")
    stored = checkpoint["facegen"]
    config = stored["network"] if "network" in stored else stored["generator"]
    prefix = f"{stored.get('averaged', 'generator_ema')}."
    weights = {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
    return _fill(build_network(config), weights, path)


def _fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> nn.Module:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"checkpoint: the weights in {path} do not fit its configuration: {error}") from error
    return network.eval().requires_grad_(False)


def load(path: str | Path) -> nn.Module:
    """Load a generator or a reconstruction network (its averaged weights, in eval mode, on the CPU).

    `path`: a folder or file written by `facegen export`, a run folder (its newest checkpoint), or one `.ckpt` file.
    Raises ValueError when there is nothing readable.
    """
    path = Path(path)
    if path.is_file():
        return _load_training(path) if path.suffix == ".ckpt" else _load_export(path.parent)
    if (path / CONFIG_NAME).is_file():
        return _load_export(path)
    if files := checkpoint_files(path):
        return _load_training(files[-1])
    raise ValueError(
        f"checkpoint: got {path}, expected an export folder, a run folder with checkpoints/, or a .ckpt file"
    )
