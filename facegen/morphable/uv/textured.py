"""Drawing faces whose colours come from textures, differentiable in texture, shape and light."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.model import Face, MorphableModel, UVMap
from facegen.rendering.rasterizer import interpolate, rasterize

Textures = Float[Tensor, "batch 3 height width"]  # [0, 1]


class Surface(NamedTuple):
    """What the camera sees of N faces before a texture is laid on them."""

    place: Float[Tensor, "batch side side 2"]  # in the texture, as `grid_sample` counts
    shading: Float[Tensor, "batch 3 side side"]
    mask: Float[Tensor, "batch 1 side side"]  # 1 on the face proper, without ears and neck


def seen_surface(model: MorphableModel, chart: UVMap, face: Face, size: int) -> Surface:
    """Rasterise faces in pictures of `size` pixels."""
    camera = model.perspective.at(size)
    seen = rasterize(camera.clip(face.camera), model.triangles, size, cull=True)
    u, v = interpolate(chart.coordinates, seen, chart.triangles).unbind(-1)
    shading = interpolate(face.shading, seen, model.triangles).permute(0, 3, 1, 2)
    front = torch.zeros(len(model.mean_shape), dtype=torch.bool, device=u.device)
    front[model.front.flatten()] = True
    shown = front[model.triangles].all(dim=1)[seen.triangle_id.clamp(min=0).long()] & (seen.triangle_id >= 0)
    return Surface(torch.stack([2 * u - 1, 1 - 2 * v], dim=-1), shading, shown[:, None].to(shading))


def lay_on(surface: Surface, textures: Textures) -> Float[Tensor, "batch 3 side side"]:
    """Texture times shading in [0, 1], not clipped; 0 outside of the mask.

    Colours are interpolated. FFHQ-UV takes the nearest pixel, where the gradient does not reach the shape.
    """
    textures = textures.expand(len(surface.place), -1, -1, -1)
    colors = F.grid_sample(textures, surface.place.to(textures), padding_mode="border", align_corners=False)
    return colors * surface.shading * surface.mask
