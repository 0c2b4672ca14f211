"""Latents of pictures, kept on disk: the search for them takes most of the time, and a killed command goes on."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.checkpoint import atomic_write
from facegen.losses.perceptual import PerceptualDistance
from facegen.models.inversion import invert
from facegen.models.inversion.projection import Space


class Search(NamedTuple):
    """How latents are searched for; see `facegen.models.inversion.invert`. `weights`: digest of the generator's."""

    weights: str
    space: Space = "w+"
    steps: int = 300
    learning_rate: float = 0.1
    pixel_weight: float = 1.0
    raw_weight: float = 0.0
    average_samples: int = 10_000
    seed: int = 0


def inverted(
    generator: Any,
    pictures: UInt8[Tensor, "picture 3 height width"],
    cameras: Float[Tensor, "picture 25"] | None,
    search: Search,
    perceptual: PerceptualDistance,
    folder: Path,
    progress: bool = True,
) -> Float[Tensor, "picture num_ws w_dim"]:
    """The latents of a batch: from `folder` where the same batch was searched alike before, else found and put there.

    The batch is kept as one, for with other neighbours a picture starts from other noise and ends a little elsewhere.
    """
    path = folder / f"{search_key(pictures, cameras, search, perceptual)}.npy"
    device = next(generator.parameters()).device
    if (known := _read(path, (len(pictures), generator.num_ws, generator.w_dim))) is not None:
        return known.to(device)
    images = pictures.float() / 127.5 - 1
    settings = {name: value for name, value in search._asdict().items() if name != "weights"}
    found = invert(generator, images, cameras, perceptual=perceptual, progress=progress, **settings)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.save(file, found.ws.cpu().numpy(), allow_pickle=False)
    return found.ws


def search_key(pictures: Tensor, cameras: Tensor | None, search: Search, perceptual: PerceptualDistance) -> str:
    """A name for everything that decides the latents of a batch: weights, pictures, cameras, settings."""
    digest = hashlib.sha256(json.dumps([*search, perceptual.name, tuple(pictures.shape)]).encode())
    for array in (pictures, cameras):
        digest.update(b"" if array is None else array.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    """Latents of an earlier run; None where there are none, or where what lies there is something else."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(found) if found.shape == shape and found.dtype == np.float32 else None
