"""From what a user types (a checkpoint, seeds, labels) to latents and images."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.data.pictures import to_uint8
from facegen.evaluation.blending import Blend
from facegen.importers.loading import load_any as load_any  # what callers look for here
from facegen.importers.loading import load_generator as load_generator
from facegen.importers.loading import pick_device as pick_device
from facegen.networks.eg3d import is_3d
from facegen.networks.latents import average_label as average_label
from facegen.networks.latents import latents as latents

MOST_SEEDS = 1_000_000


def parse_seeds(value: Any) -> list[int]:
    """Seeds from `5`, `0-7`, `0,3,10-12` or a list; in the order given."""
    words = [str(v) for v in value] if isinstance(value, list | tuple) else re.split(r"\s*,\s*", str(value).strip())
    seeds: list[int] = []
    for word in words:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        if match is None:
            raise ValueError(f"seeds: got {value!r}, expected whole numbers such as 5, 0-7 or 0,3,10-12")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last >= 2**32 or len(seeds) + last - first >= MOST_SEEDS:
            raise ValueError(f"seeds: got {word!r}, expected FIRST-LAST with FIRST <= LAST < 2^32, a million at most")
        seeds.extend(range(first, last + 1))
    return seeds


def labels(value: Any, count: int, c_dim: int, setting: str = "labels") -> Float[Tensor, "seed c_dim"]:
    """Labels for `count` seeds: `average`, a class number, one label as a list, or a file with rows that are cycled.

    `setting` is what the user knows them by.
    """
    if c_dim == 0:
        if value not in ("average", None):
            raise ValueError(f"{setting}: got {value!r}, but this generator takes no labels; leave the setting out")
        return torch.zeros(count, 0)
    rows = _label_rows(value, c_dim, setting)
    if rows.ndim != 2 or rows.shape[1] != c_dim or len(rows) == 0 or not np.isfinite(rows).all():
        raise ValueError(f"{setting}: got shape {rows.shape}, expected rows of {c_dim} finite numbers")
    return torch.from_numpy(rows[np.arange(count) % len(rows)])


def _label_rows(value: Any, c_dim: int, setting: str) -> np.ndarray:
    if value == "average":
        return average_label(c_dim)
    if str(value).isdecimal():
        value = int(value)
        if not 0 <= value < c_dim:
            raise ValueError(f"{setting}: got class {value}, expected 0 to {c_dim - 1}")
        return np.eye(c_dim, dtype=np.float32)[value : value + 1]
    if isinstance(value, list | tuple):
        try:
            return np.atleast_2d(np.asarray(value, np.float32))
        except (TypeError, ValueError):
            raise ValueError(f"{setting}: got {value!r}, expected {c_dim} numbers") from None
    return _label_file(Path(str(value)).expanduser(), setting)


def _label_file(path: Path, setting: str) -> np.ndarray:
    """Rows of a `.npy`, or of a JSON list or NVIDIA `dataset.json` (its labels in the order of the file)."""
    if not path.is_file():
        raise ValueError(f"{setting}: got {path}, expected average, a class number, a list, or a .npy or .json file")
    try:
        if path.suffix == ".npy":
            return np.atleast_2d(np.load(path, allow_pickle=False)).astype(np.float32)
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            content = [label for _, label in content["labels"]]
        return np.atleast_2d(np.asarray(content, np.float32))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{setting}: {path} is not a readable table of labels ({error})") from error


def blend(settings: dict[str, Any]) -> Blend:
    """The settings `towards` and `mix`. Raises ValueError for anything but lists of numbers."""
    towards, mix = settings["towards"], settings["mix"]
    if towards is not None and not (_numbers(towards, 2) and type(towards[0]) is int and towards[0] >= 0):
        raise ValueError(f"towards: got {towards!r}, expected [SEED,SHARE] such as [7,0.5], or null")
    if mix is not None and not (_numbers(mix, 3) and all(type(each) is int and each >= 0 for each in mix)):
        raise ValueError(f"mix: got {mix!r}, expected [SEED,FIRST,LAST] such as [7,4,8], or null")
    return Blend(None if towards is None else (*towards,), None if mix is None else (*mix,))


def _numbers(value: Any, count: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == count and all(type(v) in (int, float) for v in value)


def check_noise_mode(mode: Any) -> None:
    """ValueError unless the networks know it."""
    if mode not in ("const", "random", "none"):
        raise ValueError(f"noise_mode: got {mode!r}, expected const, random or none")


@torch.inference_mode()
def images(
    generator: Any,
    ws: Float[Tensor, "sample num_ws w_dim"],
    noise_mode: str,
    batch_size: int,
    cameras: Float[Tensor, "sample 25"] | None = None,
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Synthesise one picture per row of ws, `batch_size` at a time; a 3D generator needs the cameras that look."""
    check_noise_mode(noise_mode)
    if batch_size < 1:
        raise ValueError(f"batch_size: got {batch_size}, expected at least 1")
    if is_3d(generator) and cameras is None:
        raise ValueError("got a generator of 3D faces, expected one of images, or cameras to look with")
    for start in range(0, len(ws), batch_size):
        part = slice(start, start + batch_size)
        if is_3d(generator) and cameras is not None:
            made = generator.synthesis(ws[part], cameras[part].to(ws), noise_mode=noise_mode).image
        else:
            made = generator.synthesis(ws[part], noise_mode=noise_mode)
        yield from rearrange(to_uint8(made), "n c h w -> n h w c").cpu().numpy()


@torch.inference_mode()
def map_latents(
    generator: Any, z: Tensor, c: Tensor, truncation: float, cutoff: Any
) -> Float[Tensor, "sample num_ws w_dim"]:
    """The mapping network, with truncation (psi) towards the average w."""
    cutoff, device = checked_cutoff(cutoff), next(generator.parameters()).device
    return generator.mapping(z.to(device), c.to(device), truncation_psi=truncation, truncation_cutoff=cutoff)


def checked_cutoff(cutoff: Any) -> int | None:
    """The setting `truncation_cutoff`. Raises ValueError for what is no number of layers."""
    if cutoff is not None and (isinstance(cutoff, bool) or not isinstance(cutoff, int) or cutoff < 0):
        raise ValueError(f"truncation_cutoff: got {cutoff!r}, expected a number of layers or null")
    return cutoff
