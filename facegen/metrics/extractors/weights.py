"""Files of pretrained weights: where they are looked for, checked by sha256, downloaded only when asked."""

import hashlib
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from facegen.checkpoint import atomic_write, cache_folder

_CHUNK = 1 << 20


class WeightsFile(NamedTuple):
    """A published file. `sha256` may be its first digits, as hubs put them into names; empty where none is known."""

    name: str
    sha256: str
    url: str


def weights_folder() -> Path:
    """Where weights are looked for and downloaded to: $FACEGEN_CACHE/weights, or ~/.cache/facegen/weights."""
    return cache_folder() / "weights"


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_weights(files: Sequence[WeightsFile], given: Path | None, download: bool, owner: str) -> Path:
    """The file that holds an extractor's weights: `given`, else the first known one in the caches, else a download.

    Caches: `weights_folder()`, then torch's hub folder. ValueError that says what to put where when there is none,
    or when a file from a cache has another sha256 than its name promises.
    """
    if given is not None:
        if not (path := Path(given)).is_file():
            raise ValueError(f"{owner}: got weights={path}, which is not a file")
        return path
    for file in files:
        for folder in (weights_folder(), Path(torch.hub.get_dir()) / "checkpoints"):
            if (path := folder / file.name).is_file():
                _check(path, file)
                return path
    if download and files:
        return _download(files[0], owner)
    raise ValueError(_missing(files, owner))


def _missing(files: Sequence[WeightsFile], owner: str) -> str:
    names = " or ".join(f"{file.name} (sha256 {file.sha256 or 'not published'}, {file.url})" for file in files)
    if not names:
        return f"{owner}: no weights; give their file with weights=FILE"
    return f"{owner}: no weights; put {names} into {weights_folder()}, give weights=FILE, or ask with download=true"


def _check(path: Path, file: WeightsFile) -> None:
    if not (found := sha256(path)).startswith(file.sha256):
        raise ValueError(f"{path}: got sha256 {found}, expected {file.sha256}; delete the file and get it again")


def _download(file: WeightsFile, owner: str) -> Path:
    from tqdm import tqdm

    path = weights_folder() / file.name
    try:
        with atomic_write(path) as temporary, urllib.request.urlopen(file.url, timeout=60) as answer:
            total = int(answer.headers.get("Content-Length") or 0) or None
            with temporary.open("wb") as out, tqdm(desc=file.name, total=total, unit="B", unit_scale=True) as bar:
                while chunk := answer.read(_CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
            _check(temporary, file)
    except OSError as error:
        raise ValueError(f"{owner}: {file.url} could not be downloaded ({error}); {_missing([file], owner)}") from error
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` file or of a `.pth` (never executed); `state_dict` / `model` wrappers are opened."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a readable file of weights ({type(error).__name__})") from error
    except Exception as error:  # pickle's own errors, also from damaged files
        raise ValueError(f"{path}: holds more than tensors, or is damaged ({type(error).__name__})") from error
    for wrapper in ("state_dict", "model"):
        state = state[wrapper] if isinstance(state, dict) and isinstance(state.get(wrapper), dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: holds {type(state).__name__}, expected a dictionary of tensors")
    return state
