"""Synthetic faces whose coefficients are known, and how far a fit is from them: shared by benchmarks of fitting."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.checkpoint import cache_folder
from facegen.data.synthetic.faces import Settings, make_face
from facegen.geometry.angles import view_angles
from facegen.geometry.cameras import head_rotation
from facegen.geometry.perspective import EG3D
from facegen.morphable.coefficients import Coefficients
from facegen.morphable.model import MorphableModel
from facegen.morphable.procedural import load_head
from facegen.morphable.procedural_model import procedural_faces

SIDE, MOST_YAW = 224, 75.0


class Faces(NamedTuple):
    """N pictures with the truth about them; `model` has their perspective."""

    model: MorphableModel
    images: UInt8[Tensor, "batch 3 side side"]
    landmarks: Float[Tensor, "batch 68 2"]
    coefficients: Float[Tensor, "batch coefficient"]
    labels: Float[Tensor, "batch 25"]


def make_faces(count: int, seed: int, cache: Path | None = None) -> Faces:
    """Faces of random people, expressions, light and poses: yaw to 75 degrees, pitch to 30."""
    cache = cache_folder() if cache is None else cache
    head, faces = load_head(cache), procedural_faces(cache)
    made, number = [], 0
    while len(made) < count:
        face = make_face(head, Settings(seed, SIDE, "uniform"), number)
        number += 1
        yaw = view_angles(torch.from_numpy(face.label[None]).double())[0, 0].rad2deg()
        made += [face] if abs(yaw) <= MOST_YAW else []
    identity, expression, albedo = (_stacked([face.person[kind] for face in made]) for kind in range(3))
    labels, light = _stacked([face.label for face in made]), _stacked([face.light.ravel() for face in made])
    images = torch.from_numpy(np.stack([face.picture.image for face in made])).permute(0, 3, 1, 2)
    landmarks = _stacked([face.picture.landmarks for face in made])
    known = faces.coefficients(identity, expression, albedo, light, labels)
    model = faces.model.with_perspective(EG3D.at(SIDE))
    return Faces(model, images, landmarks, known, labels)


class Errors(NamedTuple):
    """Of N fits: rotation in degrees; vertices of the face before the pose, mean distance as a fraction of the
    interocular distance; landmarks in pixels of 224."""

    pose: Float[Tensor, " batch"]
    vertices: Float[Tensor, " batch"]
    landmarks: Float[Tensor, " batch"]


def errors(faces: Faces, coefficients: Float[Tensor, "batch coefficient"]) -> Errors:
    """Distances of fitted coefficients from the truth."""
    model, kept = faces.model, torch.nonzero(faces.model.skin > 0).squeeze(1)[::10]
    true, found = model.split(faces.coefficients), model.split(coefficients)
    relative = head_rotation(found.angle) @ head_rotation(true.angle).mT
    cosine = (relative.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    offsets, moved = _shapes(model, found, kept) - _shapes(model, true, kept), _landmarks(model, coefficients)
    eyes = _shapes(model, true, model.landmarks)
    interocular = (eyes[:, 36:42].mean(dim=1) - eyes[:, 42:48].mean(dim=1)).norm(dim=1)
    pixels = (moved - faces.landmarks).norm(dim=-1).mean(dim=1)
    return Errors(cosine.clamp(-1, 1).acos().rad2deg(), offsets.norm(dim=-1).mean(dim=1) / interocular, pixels)


def _shapes(model: MorphableModel, parts: Coefficients, rows: Tensor) -> Tensor:
    modes = torch.cat([model.identity[:, rows], model.expression[:, rows]]).flatten(1)
    return model.mean_shape[rows] + (torch.cat(parts[:2], dim=1) @ modes).unflatten(1, (-1, 3))


def _landmarks(model: MorphableModel, coefficients: Tensor) -> Tensor:
    parts = model.split(coefficients)
    posed = _shapes(model, parts, model.landmarks) @ head_rotation(parts.angle) + parts.translation[:, None]
    return model.perspective.image_points(model.perspective.view(posed))


def _stacked(rows: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.float32))
