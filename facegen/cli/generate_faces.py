"""`facegen generate`: one face of EG3D, made once, and what a camera sees of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import atomic_write
from facegen.cli import sampling
from facegen.cli.pictures import Picture
from facegen.data.pictures import save_png, to_uint8
from facegen.rendering.depth_colors import depth_colors


class Face(NamedTuple):
    """All that a face is before a camera looks at it."""

    seed: int
    ws: Float[Tensor, "1 num_ws w_dim"]
    planes: Float[Tensor, "1 3 channel height width"]


class View(NamedTuple):
    """What a camera sees: the picture, and distances along rays in world units at the resolution of rendering."""

    picture: Picture
    depth: Float[np.ndarray, "raw_height raw_width"]


def seeded(seed: int, draw: Callable[..., Tensor] = torch.rand) -> Callable[..., Tensor]:
    """`draw(shape, device=...)` from a stream of its own, the same numbers on every device."""
    source = torch.Generator().manual_seed(seed)
    return lambda shape, device=None, **_: draw(shape, generator=source).to(device)


@torch.inference_mode()
def make_face(generator: Any, seed: int, ws: Float[Tensor, "1 num_ws w_dim"], settings: dict[str, Any]) -> Face:
    """Run the backbone. The planes' channels become innermost, as sampling on a CPU wants them."""
    planes = generator.planes(ws, noise_mode=settings["noise_mode"], randn=seeded(seed, torch.randn))
    return Face(seed, ws, planes.permute(0, 3, 4, 1, 2).contiguous().permute(0, 3, 4, 1, 2))


def face_of_seed(generator: Any, seed: int, condition: Float[Tensor, " c_dim"], settings: dict[str, Any]) -> Face:
    """The face of a seed as the mapping network makes it, told a camera. It does not depend on other seeds."""
    z = sampling.latents([seed], generator.z_dim)
    ws = sampling.map_latents(generator, z, condition[None], settings["truncation"], settings["truncation_cutoff"])
    return make_face(generator, seed, ws, settings)


@torch.inference_mode()
def look(generator: Any, face: Face, camera: Float[Tensor, "25"], settings: dict[str, Any]) -> View:
    """Render one view by itself: distances are clamped to the limits of a batch, which must not matter.

    The jitter of samples on rays belongs to the seed: pictures are reproducible, and the grain of a film stands still.
    """
    seen = generator.synthesis(
        face.ws,
        camera[None].to(face.ws),
        neural_rendering_resolution=settings["neural_resolution"],
        noise_mode=settings["noise_mode"],
        rand=seeded(face.seed),
        randn=seeded(face.seed, torch.randn),
        planes=face.planes,
    )
    picture = to_uint8(seen.image)[0].permute(1, 2, 0).cpu().numpy()
    return View(np.ascontiguousarray(picture), seen.image_depth[0, 0].float().cpu().numpy())


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
