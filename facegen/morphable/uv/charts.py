"""Charts of morphable models: one for models that have none, and the table from a texture's pixels to vertices."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.cameras import from_label_world
from facegen.morphable.model import MorphableModel, UVMap
from facegen.morphable.uv.views import Lookup
from facegen.rendering.rasterizer import rasterize

_MARGIN = 0.02  # of the texture's side, left free around a cylinder


def chart_of(model: MorphableModel) -> UVMap:
    """The model's own chart, or a cylinder around its mean shape."""
    return model.uv or cylindrical_chart(model)


def cylindrical_chart(model: MorphableModel) -> UVMap:
    """Azimuth and height of the mean shape around the vertical axis of the world of camera labels, seen from outside.

    The middle of the face is at u = 1/2, the picture's left at u = 0; v grows upwards. u is the arc tangent of the
    azimuth, so that the face gets more of the texture than the sides. A triangle across the middle of the back, where
    the seam is, gets corners of its own that reach over the texture's edge.
    """
    offset = model.mean_shape - _axis(model)
    azimuth = torch.atan2(offset[:, 0], offset[:, 2])
    corners = azimuth[model.triangles]
    across = (corners.amax(dim=1) - corners.amin(dim=1) > math.pi)[:, None] & (corners < 0)
    again = model.triangles[across]  # vertices that are needed a second time, a full turn further
    angle = torch.cat([azimuth, azimuth[again] + 2 * math.pi])
    height = torch.cat([offset[:, 1], offset[again, 1]])
    numbers = model.triangles.clone()
    numbers[across] = len(azimuth) + torch.arange(len(again), device=numbers.device)
    v = (height - height.min()) / (height.max() - height.min())
    u = angle.atan() / (2 * azimuth.abs().max().atan()) + 0.5
    return UVMap(torch.stack([u, v], dim=-1) * (1 - 2 * _MARGIN) + _MARGIN, numbers)


def rasterize_chart(model: MorphableModel, chart: UVMap, size: int) -> Lookup:
    """The triangle at the centre of each pixel of a texture; where several lie, the one farthest from the head's axis.

    Row 0 is v = 1. So eyes show in the holes of the skin, and what lies behind an ear does not show.
    """
    place = chart.coordinates[chart.triangles]
    radius = torch.linalg.vector_norm((model.mean_shape - _axis(model))[:, [0, 2]], dim=1)[model.triangles]
    depth = 0.5 - radius / radius.max()
    clip = torch.cat([place * 2 - 1, depth[..., None], torch.ones_like(depth[..., None])], dim=-1)
    corners = torch.arange(clip.shape[0] * 3, device=clip.device).view(-1, 3)
    seen = rasterize(clip.reshape(1, -1, 4), corners, size)
    number = seen.triangle_id[0].long()
    vertices = torch.where(number[..., None] >= 0, model.triangles[number.clamp(min=0)], 0)
    return Lookup(*(array.cpu().numpy() for array in (vertices.int(), seen.barycentric[0])))


def landmark_pixels(model: MorphableModel, chart: UVMap, size: int) -> Float[np.ndarray, "landmark 2"]:
    """The landmarks in a texture: columns and rows, (0, 0) is the centre of the first pixel."""
    place = chart.coordinates[chart.triangles]
    spans = (place.amax(dim=1) - place.amin(dim=1)).amin(dim=1)
    has_area = spans > 0  # pieces without a texture of their own are a single point
    corners, numbers = model.triangles[has_area].flatten(), chart.triangles[has_area].flatten()
    first = (corners == model.landmarks[:, None]).int().argmax(dim=1)
    u, v = chart.coordinates[numbers[first]].unbind(-1)
    return (torch.stack([u, 1 - v], dim=-1) * size - 0.5).cpu().numpy()


def _axis(model: MorphableModel) -> Float[Tensor, "3"]:
    return from_label_world(torch.zeros_like(model.mean_shape[0]))
