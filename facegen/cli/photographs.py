"""Pictures that people have: reading them for a generator, and finding the label of each."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.cli import sampling
from facegen.data.headers import ImageError
from facegen.data.images import decode, resize
from facegen.data.labels import LABELS_FILE, camera_problem, read_labels
from facegen.data.listing import is_image, list_folder
from facegen.geometry.cameras import LABEL_SIZE


class Photograph(NamedTuple):
    """A file, and the name of what is made from it."""

    path: Path
    name: str


def find(value: str) -> tuple[Path, list[Photograph]]:
    """The folder, and the pictures in it at any depth, or the one that was named. Raises ValueError for none."""
    path = Path(value).expanduser()
    if path.is_file():
        return path.parent, [Photograph(path, path.stem)]
    if not path.is_dir():
        raise ValueError(f"images: {path} does not exist; expected a picture or a folder of pictures")
    names = [entry.name for entry in list_folder(path, LABELS_FILE).entries if is_image(entry.name)]
    found = [Photograph(path / name, str(Path(name).with_suffix("")).replace("/", "_")) for name in names]
    if not found:
        raise ValueError(f"images: {path} holds no pictures (PNG, JPEG, WebP, BMP, TIFF)")
    seen: dict[str, Path] = {}
    for photograph in found:
        if (other := seen.setdefault(photograph.name, photograph.path)) != photograph.path:
            raise ValueError(f"images: {other} and {photograph.path} would give the same results; rename one of them")
    return path, found


def read(path: Path, side: int) -> Float[Tensor, "1 3 side side"]:
    """A square picture of any size and kind as numbers in [-1, 1]."""
    try:
        pixels = decode(path.read_bytes(), convert=True)
    except ImageError as error:
        raise ValueError(f"images: {path}: {error}") from error
    height, width = pixels.shape[:2]
    if height != width:
        raise ValueError(f"images: {path} is {width}x{height}, expected a square; crop it as the training images are")
    numbers = torch.from_numpy(resize(pixels, side).astype(np.float32))
    return (numbers / 127.5 - 1).permute(2, 0, 1)[None].contiguous()


def labels(
    value: Any, photographs: Sequence[Photograph], folder: Path, c_dim: int, is_3d: bool
) -> Float[Tensor, "photograph c_dim"]:
    """The label of every picture; see the setting `labels` of `facegen invert`. Raises ValueError for missing ones."""
    if value is None and c_dim:
        beside = folder / LABELS_FILE
        value = str(beside) if beside.is_file() else None if is_3d else "average"
        if value is None:
            raise ValueError(
                "labels: this generator renders from a camera and needs that of every picture; give "
                "labels=dataset.json (or put it beside the pictures), labels=[25 numbers], or labels=average "
                "for frontal faces"
            )
    if c_dim and isinstance(value, str) and _names_pictures(Path(value).expanduser()):
        rows = _from_file(Path(value).expanduser(), photographs, folder)
    else:
        rows = sampling.labels(value, len(photographs), c_dim)
    if rows.shape[1] != c_dim:
        raise ValueError(f"labels: got {rows.shape[1]} numbers per picture, expected {c_dim}")
    for photograph, row in zip(photographs, rows, strict=True):
        if c_dim == LABEL_SIZE and (reason := camera_problem(row.tolist())):
            raise ValueError(f"labels: the camera of {photograph.path.name} is not one: {reason}")
    return rows


def _names_pictures(path: Path) -> bool:
    """Whether a file is like NVIDIA's dataset.json, which gives each label with the name of its picture."""
    if path.suffix != ".json":
        return False
    if not path.is_file():
        raise ValueError(f"labels: {path} does not exist")
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError as error:
        raise ValueError(f"labels: {path} is not a JSON file ({error})") from error


def _from_file(path: Path, photographs: Sequence[Photograph], folder: Path) -> Float[Tensor, "photograph c_dim"]:
    """Labels by name: relative to the file, or to the folder of the pictures."""
    text, tried = path.read_bytes(), []
    for base in (path.parent.resolve(), folder.resolve()):
        if all(item.path.resolve().is_relative_to(base) for item in photographs):
            tried.append([item.path.resolve().relative_to(base).as_posix() for item in photographs])
    answers = [(read_labels(text, names), names) for names in tried]
    found, names = min(answers, key=lambda answer: answer[0].column.null_count if answer[0] else 0)
    if found is None or found.name != "camera":
        raise ValueError(f"labels: {path} holds no cameras of 25 numbers")
    for name, row in zip(names, found.column, strict=True):
        if not row.is_valid:
            reason = next((p.detail for p in found.problems if p.id == name), "no label")
            raise ValueError(f"labels: {path} has no camera for {name}: {reason}")
    return torch.tensor(found.column.to_pylist(), dtype=torch.float32)
