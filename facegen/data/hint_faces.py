"""Hints drawn from the coefficients of a morphable model: what a renderer knows of a face, as pictures."""

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import cache_folder
from facegen.data.batch import FaceBatch
from facegen.data.hint_lines import draw_landmarks
from facegen.geometry.cameras import head_rotation
from facegen.geometry.perspective import EG3D
from facegen.morphable.fitting.linear import vertices_of
from facegen.morphable.model import Face, MorphableModel
from facegen.morphable.procedural_model import ProceduralFaces, procedural_faces
from facegen.morphable.render import render

RENDERS = ("render", "albedo", "normals", "depth", "uv")
KNOWN = tuple(f"coefficients_{kind}" for kind in ("identity", "expression", "albedo", "light"))
_REACH = 1.5  # decimetres from the head's middle to the nearest and the farthest that `depth` tells apart
FINE = 128  # side of pictures up to which a coarse procedural mesh is good enough
_COARSE_DETAIL = 0.3  # at 64 pixels, points lie 0.4 pixels beside those of the whole mesh


class _Own(NamedTuple):
    faces: ProceduralFaces
    model: MorphableModel  # before EG3D's camera


def known_coefficients(batch: FaceBatch, faces: ProceduralFaces) -> Float[Tensor, "batch coefficient"]:
    """Coefficients of synthetic faces from their columns and cameras, on the batch's device.

    Raises ValueError where they are missing.
    """
    if batch.cameras.shape[1] != 25:
        raise ValueError("the faces have no camera labels; add data.labels=true")
    if missing := [name for name in KNOWN if name not in batch.conditions]:
        raise ValueError(
            f"the faces come without {', '.join(missing)}; "
            f"add data.conditions=[{','.join(KNOWN)}] and train on data=synthetic"
        )
    identity, expression, albedo, light = (batch.conditions[name].cpu() for name in KNOWN)
    found = faces.coefficients(identity, expression, albedo, light, batch.cameras.cpu())
    return found.to(batch.cameras.device)


def face_coefficients(
    batch: FaceBatch, model: MorphableModel | None, fine: bool
) -> tuple[Float[Tensor, "batch coefficient"], MorphableModel]:
    """Coefficients of a batch's faces and their model, which is the procedural one unless another is given.

    What synthetic faces say of themselves comes before a column of `coefficients`. fine: with the whole procedural
    mesh, which takes ten times as long.
    """
    own = _own(1.0 if fine else _COARSE_DETAIL)
    if model is None and all(name in batch.conditions for name in KNOWN):
        return known_coefficients(batch, own.faces), own.model
    return batch.conditions["coefficients"].float(), model or own.model


@torch.no_grad()
def render_hint(
    name: str, model: MorphableModel, coefficients: Float[Tensor, "batch coefficient"], side: int
) -> Float[Tensor, "batch 3 side side"]:
    """Faces before the model's camera as hints, in [0, 1], black around them and for coefficients that are not finite.

    `normals`: (n + 1) / 2, x right, y up, z to the viewer. `depth`: near is bright. `uv`: u, v and 1, on the model's
    chart or a cylinder. `landmarks`: lines. Raises ValueError for coefficients of another model.
    """
    model = prepared(model, str(coefficients.device))
    if name == "landmarks":
        return draw_landmarks(_landmarks(model, coefficients), side)
    found = coefficients.isfinite().all(dim=1)
    face = model(coefficients.where(found[:, None], 0))
    return _picture(name, model, face, side) * found[:, None, None, None]


def _landmarks(model: MorphableModel, coefficients: Float[Tensor, "batch coefficient"]) -> Float[Tensor, "batch 68 2"]:
    """Landmarks in sides of the picture, without the rest of the face."""
    parts = model.split(coefficients)
    points = vertices_of(model, model.landmarks, coefficients.dtype)
    turned = points.at(torch.cat([parts.identity, parts.expression], dim=1)) @ head_rotation(parts.angle)
    camera = model.perspective.view(turned + parts.translation[:, None])
    return model.perspective.image_points(camera) / model.perspective.size


def _picture(name: str, model: MorphableModel, face: Face, side: int) -> Tensor:
    drawn = render(model, face, side, colors=face.albedo if name == "albedo" else None)
    if name == "normals":
        found = (drawn.normals + 1) / 2
    elif name == "depth":
        far = model.perspective.distance + _REACH
        found = ((far - drawn.depth) / (2 * _REACH)).expand(-1, 3, -1, -1)
    elif name == "uv":
        assert drawn.uv is not None
        found = torch.cat([drawn.uv, torch.ones_like(drawn.depth)], dim=1)
    else:
        found = (drawn.images + 1) / 2
    return found.clamp(0, 1) * drawn.masks


@lru_cache(maxsize=4)
def prepared(model: MorphableModel, device: str) -> MorphableModel:
    """A model on a device, with a chart; the one given, which others may share, stays as it is."""
    from facegen.morphable.uv.charts import chart_of

    chart = chart_of(model)
    other = model.with_perspective(model.perspective)
    buffers = {**model._buffers, "uv_coordinates": chart.coordinates, "uv_triangles": chart.triangles}
    other._buffers = {name: None if buffer is None else buffer.to(device) for name, buffer in buffers.items()}
    return other


@lru_cache(maxsize=2)
def _own(detail: float) -> _Own:
    faces = procedural_faces(cache_folder(), detail)
    return _Own(faces, faces.model.with_perspective(EG3D))
