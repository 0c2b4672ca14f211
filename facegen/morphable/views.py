"""What the camera sees of the faces of coefficients: the picture, the face proper, its depth, its landmarks."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facegen.geometry.cameras import from_coefficients
from facegen.morphable.model import MorphableModel
from facegen.rendering.rasterizer import interpolate, rasterize

_FACE = 0.5  # of the model's skin weight: the least that counts as face


class FaceView(NamedTuple):
    """N faces in front of the model's camera, drawn with a side of S pixels. NaN coefficients are seen nowhere."""

    images: Float[Tensor, "batch 3 side side"]  # [-1, 1], not clipped; -1 where nothing is seen
    seen: Bool[Tensor, "batch 1 side side"]  # where anything of the model is seen
    mask: Bool[Tensor, "batch 1 side side"]  # where the face proper is seen: skin that the photometric losses look at
    depth: Float[Tensor, "batch 1 side side"]  # decimetres from the camera's plane, 0 where nothing is seen
    landmarks: Float[Tensor, "batch 68 2"]  # pixels of these pictures, y down, (0, 0) the upper left corner
    points: Float[Tensor, "batch 68 3"]  # the landmarks before the camera, decimetres: x right, y down, z forward
    labels: Float[Tensor, "batch 25"]  # cameras in the world of EG3D's labels, at its distance from the origin


def face_view(model: MorphableModel, coefficients: Float[Tensor, "batch coefficient"], size: int) -> FaceView:
    """Draw faces, and say where their landmarks and cameras are. Raises ValueError for another model's coefficients."""
    parts, perspective = model.split(coefficients), model.perspective.at(size)
    found = coefficients.isfinite().all(dim=1)
    face = model(coefficients.where(found[:, None], 0))
    raster = rasterize(perspective.clip(face.camera), model.triangles, size, cull=True)
    skin = model.skin[:, None].to(face.colors).expand(len(coefficients), -1, -1)
    carried = torch.cat([face.colors, face.camera[..., 2:], skin], dim=-1)
    drawn = interpolate(carried, raster, model.triangles).permute(0, 3, 1, 2)
    seen = (raster.triangle_id >= 0)[:, None] & found[:, None, None, None]
    points = face.camera[:, model.landmarks]
    absent = ~found[:, None, None]
    return FaceView(
        torch.where(seen, drawn[:, :3] * 2 - 1, -1.0),
        seen,
        seen & (drawn[:, 4:] > _FACE),
        drawn[:, 3:4].where(seen, 0),
        perspective.image_points(points).masked_fill(absent, torch.nan),
        (points * points.new_tensor([1.0, -1.0, 1.0])).masked_fill(absent, torch.nan),
        from_coefficients(parts.angle, parts.translation),
    )
