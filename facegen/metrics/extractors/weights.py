"""Files of pretrained weights: where they are looked for, checked by sha256, downloaded only when asked."""

import hashlib
import urllib.request
import warnings
import zipfile
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
    """A published file, and where it comes from."""

    name: str
    sha256: str
    source: str  # an address to download it from, or a package that holds it


class Weights(NamedTuple):
    """A file at hand. `name` is the published one where the sha256 is known, whatever the file is called here."""

    path: Path
    name: str
    sha256: str
    is_published: bool

    @property
    def protocol(self) -> dict[str, Any]:
        """What a result must say about them."""
        return {"weights": self.name, "sha256": self.sha256, "published_weights": self.is_published}


def weights_folder() -> Path:
    """Where weights are looked for and downloaded to: $FACEGEN_CACHE/weights, or ~/.cache/facegen/weights."""
    return cache_folder() / "weights"


def find_weights(files: Sequence[WeightsFile], given: Path | None, download: bool, owner: str) -> Weights:
    """The file that holds an extractor's weights: `given`, else the first known one in the caches, else a download.

    Caches: `weights_folder()`, then torch's hub folder. A given file of unknown sha256 is taken with a warning.
    ValueError that says what to put where when there is none, or when a cached file is not what its name promises.
    """
    if given is not None:
        return identify(Path(given), files, owner)
    for file in files:
        for folder in (weights_folder(), Path(torch.hub.get_dir()) / "checkpoints"):
            if (path := folder / file.name).is_file():
                _check(path, file)
                return Weights(path, file.name, file.sha256, True)
    if download and files:
        return _download(files[0], owner)
    raise ValueError(_missing(files, owner))


def identify(path: Path, files: Sequence[WeightsFile], owner: str) -> Weights:
    """A given file by its sha256; a warning where published ones are known and this is none of them."""
    if not path.is_file():
        raise ValueError(f"{owner}: got weights={path}, which is not a file")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    for known in files:
        if known.sha256 == found:
            return Weights(path, known.name, found, True)
    if files:
        warnings.warn(
            f"{owner}: {path} (sha256 {found}) is no published file; figures compare with its own only", stacklevel=2
        )
    return Weights(path, path.name, found, False)


def _missing(files: Sequence[WeightsFile], owner: str) -> str:
    if not files:
        return f"{owner}: no weights are published for it here; give a file with weights=FILE"
    first, others = files[0], "".join(f" or {file.name}" for file in files[1:])
    return (
        f"{owner}: no weights; put {first.name} (sha256 {first.sha256}, {first.source}){others} into "
        f"{weights_folder()}, give weights=FILE, or ask with download=true"
    )


def _check(path: Path, file: WeightsFile) -> None:
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file.sha256:
        raise ValueError(f"{path}: got sha256 {found}, expected {file.sha256} for {file.name}; get the file again")


def _download(file: WeightsFile, owner: str) -> Weights:
    from tqdm import tqdm

    path = weights_folder() / file.name
    try:
        with atomic_write(path) as temporary, urllib.request.urlopen(file.source, timeout=60) as answer:
            total = int(answer.headers.get("Content-Length") or 0) or None
            with temporary.open("wb") as out, tqdm(desc=file.name, total=total, unit="B", unit_scale=True) as bar:
                while chunk := answer.read(_CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
            _check(temporary, file)
    except OSError as error:
        reason = f"{file.source} could not be downloaded ({error})"
        raise ValueError(f"{owner}: {reason}; {_missing([file], owner)}") from error
    return Weights(path, file.name, file.sha256, True)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` file or of a `.pth` (never executed); `state_dict` / `model` wrappers are opened."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    except Exception as error:  # whatever a damaged or foreign pickle makes torch raise
        raise ValueError(f"{path}: damaged, or more than tensors ({type(error).__name__})") from error
    for wrapper in ("state_dict", "model"):
        state = state[wrapper] if isinstance(state, dict) and isinstance(state.get(wrapper), dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: holds {type(state).__name__}, expected a dictionary of tensors")
    return state


def is_torchscript(path: Path) -> bool:
    """Whether a file holds TorchScript: a program, where a `.pth` holds tensors."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def load_torchscript(weights: Weights, owner: str, trust: str | None = None) -> torch.jit.ScriptModule:
    """Load a TorchScript program, only where its sha256 is published or is the one that the caller trusts.

    TorchScript runs in its own interpreter, whose operations can read and write files.
    """
    if not weights.is_published and weights.sha256 != trust:
        raise ValueError(
            f"{owner}: {weights.path} is an unknown TorchScript program, which could do anything; expected a published "
            f"one, or trust={weights.sha256} if you know where it comes from"
        )
    return torch.jit.load(weights.path, map_location="cpu").eval()


def fill(network: torch.nn.Module, state: dict[str, Tensor], path: Path, owner: str) -> None:
    """Give a network its tensors, in float32; it may be on the meta device, without numbers of its own.

    ValueError that names a few of the differences where they do not fit.
    """
    expected = network.state_dict()
    wrong = [key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape]
    differences = {"missing": expected.keys() - state.keys(), "unknown": state.keys() - expected.keys(), "shape": wrong}
    if any(differences.values()):
        parts = [f"{len(keys)} {what} ({', '.join(sorted(keys)[:2])})" for what, keys in differences.items() if keys]
        raise ValueError(f"{owner}: the tensors in {path} are not those of its network: {'; '.join(parts)}")
    single = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    network.load_state_dict(single, assign=True)
