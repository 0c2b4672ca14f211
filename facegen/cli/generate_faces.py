"""`facegen generate`: one face of EG3D, made once, and what a camera sees of it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import atomic_write
from facegen.cli import sampling
from facegen.cli.pictures import Picture
from facegen.data.pictures import save_png
from facegen.evaluation import views
from facegen.evaluation.blending import blended
from facegen.evaluation.views import Face, View
from facegen.evaluation.views import seeded as seeded
from facegen.rendering.depth_colors import depth_colors


def make_face(generator: Any, seed: int, ws: Float[Tensor, "1 num_ws w_dim"], settings: dict[str, Any]) -> Face:
    """Run the backbone."""
    return views.make_face(generator, seed, ws, settings["noise_mode"])


def face_of_seed(generator: Any, seed: int, condition: Float[Tensor, " c_dim"], settings: dict[str, Any]) -> Face:
    """The face of a seed as the mapping network makes it, told a camera. It does not depend on other seeds."""
    how = settings["truncation"], sampling.checked_cutoff(settings["truncation_cutoff"])
    ws = blended(generator, [seed], condition[None], sampling.blend(settings), *how)
    return make_face(generator, seed, ws, settings)


def look(generator: Any, face: Face, camera: Float[Tensor, "25"], settings: dict[str, Any]) -> View:
    """Render one view."""
    return views.look(generator, face, camera, settings["noise_mode"], settings["neural_resolution"])


def depth_limits(generator: Any, settings: dict[str, Any]) -> tuple[float, float]:
    """Distances of the nearest and farthest colour: the setting, or where the generator's rays start and end."""
    value = settings["depth_range"]
    if value is None:
        return generator.depth_limits()
    pair = isinstance(value, list | tuple) and len(value) == 2 and all(type(v) in (int, float) for v in value)
    if not (pair and value[0] < value[1]):
        raise ValueError(f"depth_range: got {value!r}, expected [NEAR,FAR] in world units with NEAR < FAR, or null")
    return float(value[0]), float(value[1])


def depth_picture(generator: Any, view: View, settings: dict[str, Any]) -> Picture:
    """Distances in colours, pale where near, at the size of the picture."""
    depth = torch.from_numpy(view.depth)[None, None]
    large = F.interpolate(depth, view.picture.shape[:2], mode="bilinear", align_corners=False)[0, 0]
    return depth_colors(large.numpy(), *depth_limits(generator, settings))


def cell(generator: Any, view: View, settings: dict[str, Any], axis: int = 1) -> Picture:
    """The picture, with its depth beside (axis 1) or below it (axis 0) where that is wanted."""
    if not settings["depth"]:
        return view.picture
    return np.concatenate([view.picture, depth_picture(generator, view, settings)], axis=axis)


def save_view(generator: Any, view: View, settings: dict[str, Any], stem: Path) -> None:
    """`STEM.png`, and with depth=true `STEM_depth.npy` (world units, float32) and `STEM_depth.png` (colours)."""
    save_png(view.picture, stem.with_name(f"{stem.name}.png"))
    if settings["depth"]:
        with atomic_write(stem.with_name(f"{stem.name}_depth.npy")) as temporary, temporary.open("wb") as file:
            np.save(file, view.depth)
        save_png(depth_picture(generator, view, settings), stem.with_name(f"{stem.name}_depth.png"))
