"""The fitted head as a mesh with the photograph's colours."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.curation.fitting.crops import Crop
from facegen.morphable.model import Face, MorphableModel
from facegen.morphable.render import Render
from facegen.rendering.isosurface import Surface
from facegen.rendering.mesh_files import save_glb, save_ply

MeshFormat = Literal["ply", "glb"]
_TURNED, _FACING = 0.1, 0.5  # cosines to the camera from which a vertex has a little, and all, of the photograph
_NEAR = 0.05  # decimetres behind the surface that the camera sees


def write_mesh(model: MorphableModel, face: Face, crop: Crop, drawn: Render, path: Path, uv: bool) -> None:
    """Write one face, upright and facing +z, in decimetres; `drawn` is its render."""
    colors = vertex_colors(model, face, crop, drawn)
    normals = model.normals_of(face.shape)[0].cpu().numpy()
    surface = Surface(face.shape[0].cpu().numpy(), model.triangles.cpu().numpy(), normals)
    {"ply": save_ply, "glb": save_glb}[path.suffix[1:]](surface, colors, path)


def vertex_colors(model: MorphableModel, face: Face, crop: Crop, drawn: Render) -> UInt8[np.ndarray, "vertex 3"]:
    """The photograph where a vertex is seen, the more the less it is turned away; elsewhere the model's lit colour."""
    side = crop.image.shape[0]
    places = model.perspective.at(side).image_points(face.camera) / side * 2 - 1
    photograph = torch.from_numpy(crop.image).to(face.colors).permute(2, 0, 1)[None] / 255
    seen = _sampled(photograph, places)
    is_near = face.camera[0, :, 2:] <= _sampled(drawn.depth, places, "nearest") + _NEAR
    share = ((face.normals[0, :, 2:] - _TURNED) / (_FACING - _TURNED)).clamp(0, 1) * is_near
    mixed = share * seen + (1 - share) * face.colors[0].clamp(0, 1)
    return (mixed * 255).round().to(torch.uint8).cpu().numpy()


def _sampled(
    images: Float[Tensor, "1 channel side side"], places: Float[Tensor, "1 vertex 2"], mode: str = "bilinear"
) -> Float[Tensor, "vertex channel"]:
    """Values of a picture at places in [-1, 1]."""
    found = F.grid_sample(images, places[:, None], mode=mode, padding_mode="border", align_corners=False)
    return found[0, :, 0].T
