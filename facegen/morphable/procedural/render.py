"""A picture of a procedural head: rasterise, shade with harmonics and one lamp's highlight, average the samples."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facegen.geometry.cameras import split_label
from facegen.geometry.projection import world_to_clip
from facegen.morphable import spherical_harmonics
from facegen.morphable.procedural.mesh import PARTS
from facegen.morphable.procedural.model import Floats, ProceduralHead
from facegen.rendering.rasterizer import rasterize_numpy


class Picture(NamedTuple):
    """What the camera saw."""

    image: NDArray[np.uint8]  # (H, W, 3) display RGB
    parts: NDArray[np.uint8]  # (H, W) index into PARTS
    landmarks: Floats  # (68, 2) pixels, (0, 0) is the top left corner of the first pixel


def _lamp(light: Floats, toward_camera: Floats) -> tuple[Floats, Floats]:
    """Half vector between the camera and the main direction of the light, and the light's strength per channel."""
    first_band = light[[3, 1, 2]] * np.array([[-1], [-1], [1]], np.float32)  # x, y, z as seen by the normals
    direction = first_band.mean(axis=1)
    direction = direction / max(float(np.linalg.norm(direction)), 1e-6)
    half = direction + toward_camera
    return half / max(float(np.linalg.norm(half)), 1e-6), np.maximum(direction @ first_band, 0).astype(np.float32)


def render_head(
    head: ProceduralHead,
    vertices: Floats,
    colors: Floats,
    light: Floats,
    label: Floats,
    background: Floats,
    samples: int = 2,
) -> Picture:
    """Render one head.

    `light` holds the (9, 3) coefficients of `facegen.morphable.spherical_harmonics`, `label` the 25 numbers of the
    camera, `background` (H, W, 3) display RGB in [0, 1]; the picture has its size. `samples` per pixel and axis.
    """
    from facegen.morphable.procedural import kernels
    from facegen.rendering.kernels import transform, vertex_normals

    camera = torch.from_numpy(label[None]).double()
    clip = transform(vertices, world_to_clip(camera)[0].numpy())
    height, width = background.shape[:2]
    triangle_id, barycentric, _ = rasterize_numpy(clip, head.triangles, (height * samples, width * samples), cull=True)
    normals = vertex_normals(vertices, head.triangles)
    factors = np.asarray(spherical_harmonics.FACTORS, np.float32)[:, None]
    half, lamp = _lamp(light, -split_label(camera)[0][0, :3, 2].numpy().astype(np.float32))
    fine = background.repeat(samples, 0).repeat(samples, 1)
    shaded = kernels.shade_pixels(
        triangle_id, barycentric, head.triangles, normals, colors, head.gloss, light * factors, half, lamp, fine
    )
    parts = kernels.resolve_parts(triangle_id, head.triangles, head.part, samples, len(PARTS))
    points = clip[head.landmarks]
    pixels = (points[:, :2] / points[:, 3:] * [1, -1] + 1) / 2 * [width, height]
    return Picture(kernels.resolve(shaded, samples), parts, pixels.astype(np.float32))
