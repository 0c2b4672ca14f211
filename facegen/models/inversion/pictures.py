"""One way to make pictures from ws, whether the generator is flat (StyleGAN2) or has geometry (EG3D)."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.models.draws import Draws
from facegen.networks.eg3d import is_3d


class Rendered(NamedTuple):
    """Images about [-1, 1]; of a generator with geometry also the rendering and its distances along the rays."""

    image: Float[Tensor, "batch 3 height width"]
    raw: Float[Tensor, "batch 3 raw_height raw_width"] | None = None
    depth: Float[Tensor, "batch 1 raw_height raw_width"] | None = None


def synthesize(
    generator: Any,
    ws: Float[Tensor, "batch num_ws w_dim"],
    cameras: Float[Tensor, "batch 25"] | None = None,
    draws: Draws | None = None,
) -> Rendered:
    """Pictures with the stored noise; `draws` jitters the samples on the rays of a generator with geometry."""
    if not is_3d(generator):
        return Rendered(generator.synthesis(ws, noise_mode="const"))
    draws = draws or Draws(0, 0, ws.device)
    made = generator.synthesis(ws, cameras, noise_mode="const", rand=draws.rand)
    return Rendered(made.image, made.image_raw, made.image_depth)


def average_camera(generator: Any) -> Float[Tensor, "1 25"]:
    """The frontal camera of a generator with geometry."""
    return generator.average_camera().to(next(generator.parameters()).device)


def check_inputs(
    generator: Any, images: Float[Tensor, "batch 3 height width"], cameras: Float[Tensor, "batch 25"] | None
) -> None:
    """Raise ValueError where images and cameras do not fit the generator or each other."""
    side = generator.img_resolution
    if images.ndim != 4 or tuple(images.shape[1:]) != (3, side, side) or len(images) == 0:
        raise ValueError(f"inversion: got images of shape {tuple(images.shape)}, expected (N, 3, {side}, {side})")
    if not images.is_floating_point() or not bool((images.abs() <= 1.5).all()):
        raise ValueError("inversion: got images of bytes, or beyond [-1.5, 1.5]; expected floats in [-1, 1]")
    if is_3d(generator) and cameras is None:
        raise ValueError("inversion: this generator has geometry and needs the camera (25 numbers) of every image")
    if cameras is not None and tuple(cameras.shape) != (len(images), 25):
        raise ValueError(f"inversion: got cameras of shape {tuple(cameras.shape)}, expected ({len(images)}, 25)")


def conditioning_rows(
    generator: Any,
    count: int,
    conditioning: Float[Tensor, "*batch c_dim"] | None,
    cameras: Float[Tensor, "batch 25"] | None,
) -> Float[Tensor, "batch c_dim"]:
    """What the mapping network is told about each image.

    By default a generator with geometry is told the frontal camera, so that w is a face and not a face seen from
    somewhere; a flat one is told the camera of the image.
    """
    width, device = generator.c_dim, next(generator.parameters()).device
    if width == 0:
        return torch.zeros(count, 0, device=device)
    if conditioning is None:
        conditioning = average_camera(generator) if is_3d(generator) else cameras
    rows = None if conditioning is None else torch.atleast_2d(conditioning).to(device)
    if rows is None or rows.shape[1] != width or len(rows) not in (1, count):
        got = None if rows is None else tuple(rows.shape)
        raise ValueError(f"inversion: got conditioning {got}, expected ({count}, {width}) or (1, {width})")
    return rows.expand(count, width)
