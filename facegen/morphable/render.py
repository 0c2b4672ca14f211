"""Pictures of posed faces, and what else a camera knows of each pixel: depth, normals, UV coordinates, parts."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from facegen.morphable.model import Face, MorphableModel
from facegen.rendering import rasterizer
from facegen.rendering.rasterizer import Rasterization, interpolate, rasterize


class Render(NamedTuple):
    """N pictures of a side. Everything is 0 where no face is seen, pictures have the background there."""

    images: Float[Tensor, "batch 3 side side"]  # [-1, 1], not clipped
    masks: Bool[Tensor, "batch 1 side side"]
    depth: Float[Tensor, "batch 1 side side"]  # decimetres from the camera's plane
    normals: Float[Tensor, "batch 3 side side"]  # unit length, in the camera's world: x right, y up, z to the viewer
    uv: Float[Tensor, "batch 2 side side"] | None  # in [0, 1], v up; None for models without a chart
    parts: Int[Tensor, "batch 1 side side"] | None  # part number + 1, of the nearest corner; None for models without


def render(
    model: MorphableModel,
    face: Face,
    size: int | None = None,
    background: Float[Tensor, "batch 3 side side"] | float = -1.0,
    antialiased: bool = False,
    colors: Float[Tensor, "batch vertex 3"] | None = None,
) -> Render:
    """Draw faces in front of the model's camera.

    size: side of the picture, by default the perspective's. colors: instead of the face's own, 1 is white.
    antialiased: blend silhouettes, so that gradients reach the vertices that make them. Differentiable.
    """
    perspective = model.perspective if size is None else model.perspective.at(size)
    clip = perspective.clip(face.camera)
    seen = rasterize(clip, model.triangles, perspective.size, cull=True)
    shown = face.colors if colors is None else colors
    drawn = interpolate(torch.cat([shown, face.normals, face.camera[..., 2:]], dim=-1), seen, model.triangles)
    masks = (seen.triangle_id >= 0)[:, None]
    behind = torch.as_tensor(background, dtype=drawn.dtype, device=drawn.device)
    images = torch.where(masks, _channels_first(drawn[..., :3]) * 2 - 1, behind)
    if antialiased:
        blended = rasterizer.antialias(images.permute(0, 2, 3, 1).contiguous(), seen, clip, model.triangles)
        images = _channels_first(blended)
    normals = F.normalize(_channels_first(drawn[..., 3:6]), dim=1)
    return Render(images, masks, drawn[..., 6][:, None], normals, _chart(model, seen), _parts(model, seen))


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _chart(model: MorphableModel, seen: Rasterization) -> Tensor | None:
    if model.uv is None:
        return None
    return _channels_first(interpolate(model.uv.coordinates, seen, model.uv.triangles))


def _parts(model: MorphableModel, seen: Rasterization) -> Tensor | None:
    if model.parts is None:
        return None
    corner = seen.barycentric.argmax(dim=-1, keepdim=True)
    face = model.triangles[seen.triangle_id.clamp(min=0).long()]
    parts = model.parts[face.gather(-1, corner)].long() + 1
    return torch.where(seen.triangle_id[..., None] >= 0, parts, 0).permute(0, 3, 1, 2)
