"""The fitted head as a mesh: with the photograph's colours at its vertices, or with a texture."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.curation.fitting.crops import Crop
from facegen.data.pictures import to_uint8
from facegen.morphable.model import Face, MorphableModel
from facegen.morphable.render import Render
from facegen.morphable.uv.assets import UVAssets
from facegen.morphable.uv.charts import chart_of
from facegen.morphable.uv.own_assets import own_assets
from facegen.morphable.uv.unwrap import unwrap
from facegen.rendering.mesh_files import Mesh, save_mesh

MeshFormat = Literal["obj", "ply", "glb"]
TextureKind = Literal["albedo", "photo"]
TEXTURE_SIZE = 1024
_TURNED, _FACING = 0.1, 0.5  # cosines to the camera from which a vertex has a little, and all, of the photograph
_NEAR = 0.05  # decimetres behind the surface that the camera sees


def mesh_of(model: MorphableModel, face: Face) -> Mesh:
    """One face without colours, upright and facing +z, in decimetres."""
    vertices, normals = (x[0].cpu().numpy() for x in (face.shape, model.normals_of(face.shape)))
    return Mesh(vertices, model.triangles.cpu().numpy(), normals)


def write_coloured(model: MorphableModel, face: Face, crop: Crop, drawn: Render, path: Path) -> None:
    """Write a mesh with coloured vertices; `drawn` is the face's render."""
    save_mesh(mesh_of(model, face)._replace(colors=vertex_colors(model, face, crop, drawn)), path)


def write_textured(
    model: MorphableModel, face: Face, coefficients: Float[Tensor, "1 coefficient"], crop: Crop, kind: str, path: Path
) -> None:
    """Write a mesh with a texture from the sharpest crop, completed where the picture shows nothing.

    kind: `photo` as it was photographed, `albedo` with the fitted light divided out, to be lit anew.
    """
    image = crop.image if crop.sharp is None else crop.sharp
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(coefficients.device)
    found = unwrap(model, coefficients, pixels, size=TEXTURE_SIZE, assets=_assets(model))
    texture = to_uint8(found.texture if kind == "albedo" else found.photographed)[0].permute(1, 2, 0).cpu().numpy()
    coordinates, triangles = (x.cpu().numpy() for x in chart_of(model))
    save_mesh(mesh_of(model, face)._replace(uv=coordinates, uv_triangles=triangles, texture=texture), path)


@lru_cache(maxsize=1)
def _assets(model: MorphableModel) -> UVAssets:
    return own_assets(model, TEXTURE_SIZE)


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
