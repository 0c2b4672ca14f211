"""From what a user types (a checkpoint, seeds, labels) to latents and images."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from facegen.checkpoint import CONFIG_NAME, WEIGHTS_NAME
from facegen.data.pictures import to_uint8
from facegen.geometry import cameras as geometry
from facegen.importers.foreign import Options, is_own, load_foreign
from facegen.networks.eg3d import is_3d
from facegen.networks.latents import latents as latents  # what callers look for here

MOST_SEEDS = 1_000_000
# What people call networks that generate nothing on their own.
_KINDS = {"ReconstructionNetwork": "reconstruction network", "FirstStage": "first stage of latent diffusion"}
_KINDS |= {"ParsingNetwork": "parser of face parts"}
_KINDS |= {"UNet": "denoiser without a first stage", "ControlBranch": "control branch without a model to control"}


def load_generator(checkpoint: str, device: str) -> Any:
    """The generator (EMA weights, eval mode) of a run, an export, a `.ckpt` or an NVIDIA pickle, on `device`."""
    network = load_any(Path(checkpoint))
    if not hasattr(network, "z_dim"):
        kind = type(network).__name__
        raise ValueError(f"checkpoint: {checkpoint} holds a {_KINDS.get(kind, kind)}, expected a generator")
    return network.to(pick_device(device)).eval().requires_grad_(False)


def load_any(path: Path, options: Options = Options()) -> nn.Module:  # noqa: B008  # immutable
    """`facegen.load`, and files of others, read as data and told apart by what they hold; options: of such files."""
    path = path.expanduser()
    if not path.exists():
        raise ValueError(f"checkpoint: {path} does not exist; expected a run folder, an export, a .ckpt or a .pkl file")
    if path.suffix in (".pkl", ".pickle"):
        from facegen.importers.nvidia import load_pickle  # only where a pickle is given

        networks = load_pickle(path)
        generator = networks.get("G_ema")
        if not isinstance(generator, nn.Module):
            raise ValueError(f"checkpoint: {path} holds {', '.join(networks)}, expected a network named G_ema")
        return generator
    if _is_facegens(path):
        from facegen.checkpoint import load

        return load(path)
    return load_foreign(path, options)


def _is_facegens(path: Path) -> bool:
    """Whether facegen wrote it: a training checkpoint, or an export, by its folder or by its file of weights."""
    if path.is_dir():
        from facegen.importers.pipelines import is_pipeline_folder

        return not is_pipeline_folder(path)
    if path.suffix == ".safetensors":
        return path.name == WEIGHTS_NAME and (path.parent / CONFIG_NAME).is_file()
    return is_own(path)


def pick_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one."""
    if name not in ("auto", "cpu", "cuda") and not re.fullmatch(r"cuda:\d+", name):
        raise ValueError(f"device: got {name!r}, expected auto, cpu, cuda or cuda:N")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device: got {name}, but PyTorch sees no GPU here; use device=cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


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


def average_label(c_dim: int) -> np.ndarray:
    """For cameras, the frontal one of EG3D's scripts; for classes, equal weights."""
    if c_dim != 25:
        return np.full((1, c_dim), 1 / c_dim, np.float32)
    frontal = geometry.look_at(math.pi / 2, math.pi / 2)
    return geometry.label(frontal, geometry.pinhole_intrinsics()).numpy()


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
    if cutoff is not None and (isinstance(cutoff, bool) or not isinstance(cutoff, int) or cutoff < 0):
        raise ValueError(f"truncation_cutoff: got {cutoff!r}, expected a number of layers or null")
    device = next(generator.parameters()).device
    return generator.mapping(z.to(device), c.to(device), truncation_psi=truncation, truncation_cutoff=cutoff)
