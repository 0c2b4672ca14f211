"""What is written for each face: coefficients as Deep3DFaceRecon writes them, a render, a panel to look at, a mesh."""

from pathlib import Path
from typing import NamedTuple, get_args

import torch

from facegen.curation.fitting.crops import Crop
from facegen.curation.fitting.meshes import MeshFormat, TextureKind, write_coloured, write_textured
from facegen.curation.fitting.panels import draw_panel, save_panel
from facegen.data.pictures import save_png, to_uint8
from facegen.morphable.fitting import Fit
from facegen.morphable.formats import write_reconstruction
from facegen.morphable.model import MorphableModel
from facegen.morphable.render import render

COEFFICIENTS, RENDERED, MESHES, PANELS = "coeff", "rendered", "meshes", "overlays"
RENDER_SIZE = 256  # pixels, as the cleaned datasets publish theirs


class Outputs(NamedTuple):
    """Which files are written beside the panels. `uv`: meshes have a texture, `albedo` or `photo`, see `meshes`."""

    files: bool = True
    mesh: str | None = None
    uv: str | None = None


def check_outputs(outputs: Outputs) -> None:
    """Raise ValueError for what cannot be written."""
    if outputs.mesh not in (None, *get_args(MeshFormat)):
        raise ValueError(f"mesh: got {outputs.mesh!r}, expected one of {', '.join(get_args(MeshFormat))}, or null")
    if outputs.uv not in (None, *get_args(TextureKind)):
        raise ValueError(f"uv: got {outputs.uv!r}, expected one of {', '.join(get_args(TextureKind))}, or null")
    if outputs.uv and outputs.mesh not in ("obj", "glb"):
        raise ValueError(f"uv={outputs.uv} is a texture for meshes: got mesh={outputs.mesh}, expected mesh=obj or glb")


def written(out: Path, face: str, outputs: Outputs) -> list[Path]:
    """The files of a face."""
    paths = [panel_path(out, face)]
    if outputs.files:
        paths += [out / COEFFICIENTS / f"{face}.mat", out / RENDERED / f"{face}.png"]
    return paths + ([mesh_path(out, face, outputs.mesh)] if outputs.mesh else [])


def panel_path(out: Path, face: str) -> Path:
    """The picture of a face's fit."""
    return out / PANELS / f"{face}.jpg"


def mesh_path(out: Path, face: str, suffix: str) -> Path:
    """The mesh of a face."""
    return out / MESHES / f"{face}.{suffix}"


@torch.no_grad()
def write_files(
    model: MorphableModel, fit: Fit, place: int, crop: Crop, out: Path, name: str, outputs: Outputs
) -> None:
    """Write the files of face number `place` of a fit."""
    coefficients = fit.coefficients[place : place + 1]
    face = model(coefficients)
    drawn = render(model, face, RENDER_SIZE)
    save_panel(draw_panel(crop, fit, place, drawn), panel_path(out, name))
    if outputs.files:
        path = out / COEFFICIENTS / f"{name}.mat"
        write_reconstruction(path, coefficients[0].cpu().numpy(), crop.landmarks, model.layout)
        save_png(to_uint8(drawn.images)[0].permute(1, 2, 0).cpu().numpy(), out / RENDERED / f"{name}.png")
    if outputs.mesh and outputs.uv:
        write_textured(model, face, coefficients, crop, outputs.uv, mesh_path(out, name, outputs.mesh))
    elif outputs.mesh:
        write_coloured(model, face, crop, drawn, mesh_path(out, name, outputs.mesh))
