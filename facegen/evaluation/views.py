"""One face of EG3D, made once: what a camera sees of it, and its shape. Cameras that look, or that models are told."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.data.pictures import to_uint8
from facegen.geometry import cameras
from facegen.geometry.cameras import LABEL_SIZE
from facegen.networks.diffusion import is_diffusion
from facegen.networks.latents import average_label
from facegen.networks.stylegan2.generator import NoiseMode
from facegen.rendering.isosurface import POINTS_AT_ONCE, DensityGrid, density_grid

Cameras = Float[Tensor, "camera 25"]
Picture = UInt8[np.ndarray, "height width 3"]


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
def make_face(generator: Any, seed: int, ws: Float[Tensor, "1 num_ws w_dim"], noise_mode: NoiseMode = "const") -> Face:
    """Run the backbone. The planes' channels become innermost, as sampling on a CPU wants them."""
    planes = generator.planes(ws, noise_mode=noise_mode, randn=seeded(seed, torch.randn))
    return Face(seed, ws, planes.permute(0, 3, 4, 1, 2).contiguous().permute(0, 3, 4, 1, 2))


@torch.inference_mode()
def look(
    generator: Any,
    face: Face,
    camera: Float[Tensor, "25"],
    noise_mode: NoiseMode = "const",
    neural_resolution: int | None = None,
) -> View:
    """Render one view by itself: distances are clamped to the limits of a batch, which must not matter.

    The jitter of samples on rays belongs to the seed: pictures are reproducible, and the grain of a film stands still.
    neural_resolution: side of the rendering in pixels, None: the generator's own.
    """
    seen = generator.synthesis(
        face.ws,
        camera[None].to(face.ws),
        neural_rendering_resolution=neural_resolution,
        noise_mode=noise_mode,
        rand=seeded(face.seed),
        randn=seeded(face.seed, torch.randn),
        planes=face.planes,
    )
    picture = to_uint8(seen.image)[0].permute(1, 2, 0).cpu().numpy()
    return View(np.ascontiguousarray(picture), seen.image_depth[0, 0].float().cpu().numpy())


def at_degrees(generator: Any, yaw: Float[Tensor, " camera"], pitch: Float[Tensor, " camera"]) -> Cameras:
    """Labels of cameras at yaw and elevation in degrees: yaw is positive to the viewer's right, pitch from above.

    They look at the generator's pivot from its radius; a diffusion model has neither, so those of EG3D's labels.
    """
    yaw, pitch = torch.deg2rad(yaw), torch.deg2rad(pitch)
    around = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], dim=-1)
    return cameras_at(generator, *cameras.position_yaw_pitch(around).unbind(-1))


def cameras_at(generator: Any, h: Float[Tensor, " camera"], v: Float[Tensor, " camera"]) -> Cameras:
    """Labels of cameras at look-at angles in radians, which EG3D's faces are seen from, and diffusion models told."""
    if not is_diffusion(generator):
        return generator.cameras_at(h, v)
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())


def front(generator: Any) -> Float[Tensor, "1 25"]:
    """The average camera."""
    return torch.from_numpy(average_label(LABEL_SIZE)) if is_diffusion(generator) else generator.average_camera()


def volume(generator: Any, face: Face, resolution: int) -> DensityGrid:
    """Raw densities of a face in the cube in which it exists."""

    def sigma_at(points: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        return generator.sample_mixed(points[None], face.ws, planes=face.planes).sigma[0, :, 0]

    side = float(generator.rendering_kwargs.get("box_warp", 1))
    return density_grid(sigma_at, resolution, side, face.planes.device, description=f"volume of seed {face.seed}")


@torch.inference_mode()
def vertex_colors(generator: Any, face: Face, vertices: Float[np.ndarray, "vertex 3"]) -> UInt8[np.ndarray, "vertex 3"]:
    """Colours of the field at points, as the raw rendering shows what is opaque: 2 c - 1 in [-1, 1], then bytes."""
    parts = []
    for points in torch.from_numpy(vertices).to(face.planes.device).split(POINTS_AT_ONCE):
        rgb = generator.sample_mixed(points[None], face.ws, planes=face.planes).rgb[0, :, :3]
        parts.append(to_uint8((2 * rgb - 1)[..., None, None])[..., 0, 0].cpu())
    return torch.cat(parts).numpy()
