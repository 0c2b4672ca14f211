"""A fitted face in its photograph as a view to unwrap: where the mesh is, what of it is seen, what moves against it."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from facegen.geometry.perspective import Perspective
from facegen.morphable.model import Face, MorphableModel
from facegen.morphable.uv.masks import around
from facegen.morphable.uv.views import View, facing
from facegen.rendering.rasterizer import rasterize

# parts that move against the mesh, and how far around, in distances between the outer corners of the eyes
_MOVING = ((slice(36, 42), 0.05), (slice(42, 48), 0.05), (slice(60, 68), 0.015))  # eyes, open lips
_DEPTH_TOLERANCE = 0.05  # decimetres in front of a vertex before it is hidden


class Photograph(NamedTuple):
    """One picture of a batch, as arrays."""

    image: Float[np.ndarray, "side side 3"]  # 0 to 255
    face: Face  # of this picture alone, batch of 1
    region: Float[np.ndarray, "side side"]  # where the picture shows the face, as far as is known otherwise


def view_of(model: MorphableModel, photograph: Photograph, perspective: Perspective) -> View:
    """The view of a photograph: points on the centre of the first pixel, hidden vertices not visible."""
    face, side = photograph.face, len(photograph.image)
    camera = perspective.at(side)
    points = (camera.image_points(face.camera)[0] - 0.5).cpu().numpy()
    visible = facing(face.normals[0].cpu().numpy()) & _unhidden(model, face, camera).cpu().numpy()
    region = photograph.region * (1 - _moving(points[model.landmarks.cpu().numpy()], side))
    return View(photograph.image, region, points, visible)


def _unhidden(model: MorphableModel, face: Face, camera: Perspective) -> Bool[Tensor, " vertex"]:
    """Vertices with nothing in front of them: compared with the farthest of the nine pixels around."""
    seen = rasterize(camera.clip(face.camera), model.triangles, camera.size, cull=True)
    near, far = camera.near, camera.far
    depth = 2 * far * near / (far + near - seen.depth * (far - near))
    depth = torch.where(seen.triangle_id >= 0, depth, torch.inf)
    farthest = F.max_pool2d(depth[:, None], 3, stride=1, padding=1)[0, 0]
    column, row = camera.image_points(face.camera)[0].long().clamp(0, camera.size - 1).unbind(-1)
    return face.camera[0, :, 2] <= farthest[row, column] + _DEPTH_TOLERANCE


def _moving(landmarks: Float[np.ndarray, "68 2"], side: int) -> Float[np.ndarray, "side side"]:
    """1 on eyes and between the lips, which look and open as they like."""
    unit = float(np.linalg.norm(landmarks[45] - landmarks[36]))
    moving = np.zeros((side, side), np.float32)
    for part, reach in _MOVING:
        mask = np.zeros_like(moving)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(landmarks[part]).astype(np.int32)), 1.0)
        moving = np.maximum(moving, around(mask, reach * unit))
    return moving
