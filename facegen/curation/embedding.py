"""A column of unit vectors that a feature network makes of each face: what duplicates, search and taste look at."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float32, UInt8

from facegen.curation.columns import Group, Making
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import Row, Stage
from facegen.data.search import directions
from facegen.metrics.extractors import Extractor, load_extractor

COLUMN = "embedding"
MODEL = b"model"  # metadata of the column: the network, by the name that `load_extractor` knows
SHA256 = b"sha256"  # and of which weights
DEFAULT_MODEL = "efficientnet_lite0"
_CHUNK = 64
Pixels = UInt8[np.ndarray, "height width 3"]
Embedder = Callable[[Sequence[Pixels]], Float32[np.ndarray, "picture dim"]]


def embedder(model: str = DEFAULT_MODEL, weights: str | Path | None = None, device: str = "cpu") -> Embedder:
    """A function of RGB pictures of any sizes that makes unit vectors of them, by a network of
    `facegen.metrics.extractors`; of pictures that are not square the middle is taken.

    weights: a local file instead of the known ones. Raises ValueError for an unknown network, and for weights that are
    missing or of another one. Nothing is downloaded.
    """
    extractor = _loaded(model, None if weights is None else str(weights), device)
    return lambda pictures: _embedded(extractor, pictures, device)


def embedding_group(model: str = DEFAULT_MODEL, weights: str | Path | None = None) -> Group:
    """The column `embedding`: unit vectors in float32, whose field names the network and the sha256 of its weights."""
    path = None if weights is None else str(Path(weights).expanduser().absolute())
    _loaded(model, path, "cpu")  # before anything is written: there may be no such network, or no weights of it

    def stage(making: Making) -> Stage:
        extractor = _loaded(model, path, making.device)
        named = {MODEL: extractor.name, SHA256: str(extractor.protocol.get("sha256", ""))}
        field = pa.field(COLUMN, pa.list_(pa.float32(), extractor.num_features), metadata=named)
        context = {"root": str(making.base), "model": model, "weights": path, "device": making.device}
        settings = {"protocol": extractor.protocol}
        return Stage(COLUMN, 1, _compute, PLACE, pa.schema([field]), settings, context, _CHUNK, together=True)

    return Group(COLUMN, stage)


def _compute(
    rows: list[Row], protocol: dict[str, Any], root: str, model: str, weights: str | None, device: str
) -> list[Row]:
    extractor = _loaded(model, weights, device)
    if extractor.protocol != protocol:
        raise OSError(f"{COLUMN}: the weights of {model} changed meanwhile; run the command again")
    pictures = [read_photograph(row, root).pixels for row in rows]
    return [{COLUMN: vector} for vector in _embedded(extractor, pictures, device)]


@lru_cache(maxsize=1)
def _loaded(model: str, weights: str | None, device: str) -> Extractor:
    return load_extractor(model, None if weights is None else Path(weights)).to(device)


def _embedded(extractor: Extractor, pictures: Sequence[Pixels], device: str) -> Float32[np.ndarray, "picture dim"]:
    if not pictures:
        return np.zeros((0, extractor.num_features), np.float32)
    ready = [extractor.prepare(_square(picture).to(device)) for picture in pictures]
    with torch.inference_mode():
        features = extractor.network(torch.cat(ready)).flatten(1).float().cpu().numpy()
    return directions(features)


def _square(picture: Pixels) -> UInt8[torch.Tensor, "1 3 side side"]:
    """The middle square of a picture."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = picture[top : top + side, left : left + side]
    return torch.from_numpy(np.array(middle.transpose(2, 0, 1)))[None]
