"""`facegen generate`: pictures that control a diffusion model, from files or drawn from coefficients."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from facegen.cli import generate_cameras as look_from
from facegen.cli import generate_renders
from facegen.data.conditions import PARTS
from facegen.data.hints import mask_colors
from facegen.data.images import decode, resize
from facegen.data.labels import LABELS_FILE
from facegen.data.listing import is_image, list_folder
from facegen.evaluation.people import render_hints

Hints = dict[str, Float[Tensor, "picture 3 side side"]]


def hints_of(generator: Any, seeds: list[int], settings: dict[str, Any], c: Tensor | None) -> Hints:
    """The hints of the pictures of seeds: from files, or drawn from coefficients before the cameras of the pictures.

    Controls without either are off, which is said.
    """
    side, found = generator.img_resolution, {}
    for name, path in hint_paths(generator, settings).items():
        read = [read_hint(each, name, side) for each in pictures_of(path, name)[: len(seeds)]]
        found[name] = torch.stack([read[place % len(read)] for place in range(len(seeds))])
    names = [name for name in generate_renders.rendered(generator) if name not in found]
    if names and settings["coefficients"] is not None:
        columns = generate_renders.face_columns(settings, seeds)
        if generator.label_name == "camera" and c is not None:
            cameras, columns = c, generate_renders.posed(columns, c, settings)
        else:
            cameras = look_from.rendering(generator, "average", len(seeds))
        found |= render_hints(names, columns, cameras, side, generate_renders.morphable(settings))
    if off := [] if settings["poses"] else [name for name in generator.control_names if name not in found]:
        print(f"without control by {', '.join(off)}: no hint=PATH or coefficients=FILE (or drawn)")
    return found


def hint_paths(generator: Any, settings: dict[str, Any]) -> dict[str, Path]:
    """The file or folder of each control that has one. Raises ValueError for controls that the model does not have."""
    one, several, controls = settings["hint"], settings["hints"], generator.control_names
    known = ", ".join(controls) or "none: it was not trained as a ControlNet"
    if one is not None and len(controls) != 1:
        advice = "; say which with hints={NAME: PATH}" if controls else ""
        raise ValueError(f"hint: got {one}, but the controls of this model are {known}{advice}")
    if not isinstance(several, dict | None):
        raise ValueError(f"hints: got {several!r}, expected {{NAME: PATH}} with names of {known}")
    named = {**(several or {}), **({} if one is None else {controls[0]: one})}
    for name in named:
        if name not in controls:
            raise ValueError(f"hints: got {name}, but the controls of this model are {known}")
    return {name: Path(str(path)).expanduser() for name, path in named.items() if path is not None}


def control_scales(generator: Any, value: Any) -> float | dict[str, float]:
    """How strongly hints control, of all or by name. ValueError for anything else, and for a model without controls."""
    if value is None:
        return 1.0
    named = value if isinstance(value, dict) else {"": value}
    for name, scale in named.items():
        if name and name not in generator.control_names:
            known = ", ".join(generator.control_names) or "none"
            raise ValueError(f"control_scales: got {name}, expected some of {known}")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 <= scale < float("inf"):
            raise ValueError(f"control_scales: got {scale!r}, expected a number from 0 (no control) on, 1 as trained")
    if not generator.control_names:
        raise ValueError(f"control_scales: got {value!r}, but this model has no controls; leave the setting out")
    return {name: float(scale) for name, scale in value.items()} if isinstance(value, dict) else float(value)


def pictures_of(path: Path, name: str) -> list[Path]:
    """The picture, or those of a folder, sorted. Raises ValueError for none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"hints: {name}: {path} does not exist; expected a picture or a folder of pictures")
    found = sorted(path / entry.name for entry in list_folder(path, LABELS_FILE).entries if is_image(entry.name))
    if not found:
        raise ValueError(f"hints: {name}: {path} holds no pictures (PNG, JPEG, WebP, BMP, TIFF)")
    return found


def read_hint(path: Path, name: str, side: int) -> Float[Tensor, "3 side side"]:
    """A square picture of any size in [0, 1], resized; ids of face parts (greyscale, palette) become their colours."""
    try:
        with Image.open(path) as image:
            if image.width != image.height:
                raise ValueError(f"{image.width}x{image.height} pixels, expected a square, cut out as the faces are")
            if name in PARTS and image.mode in ("L", "P"):
                ids = np.array(image.resize((side, side), Image.Resampling.NEAREST))
                return mask_colors(torch.from_numpy(ids)[None, None], name)[0]
        pixels = resize(decode(path.read_bytes(), convert=True), side)
    except (OSError, ValueError) as error:
        raise ValueError(f"hints: {name}: {path}: {error}") from error
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1).contiguous()
