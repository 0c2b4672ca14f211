"""`facegen generate` with EG3D: density volumes and meshes."""

from pathlib import Path
from typing import Any

import numpy as np

from facegen.checkpoint import atomic_write
from facegen.cli import generate_cameras as look_from
from facegen.cli.generate_faces import face_of_seed
from facegen.evaluation.views import Face, vertex_colors, volume
from facegen.rendering.isosurface import DensityGrid, isosurface, raw_density
from facegen.rendering.mesh_files import save_glb, save_ply

_MOST_RESOLUTION = 1024  # 4 GB


def check(settings: dict[str, Any]) -> None:
    """ValueError for settings that no shape could be made with."""
    resolution, level = settings["volume_resolution"], settings["mesh_level"]
    if not 2 <= resolution <= _MOST_RESOLUTION:
        raise ValueError(f"volume_resolution: got {resolution}, expected 2 to {_MOST_RESOLUTION}")
    try:
        raw_density(level)
    except ValueError as error:
        raise ValueError(f"mesh_level: {error}") from None


def save_shapes(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """`seedNNNN_volume.npz`, `seedNNNN.ply` and `seedNNNN.glb`, as the settings ask for."""
    front = generator.average_camera().expand(len(seeds), -1)
    told = look_from.conditioning(generator, settings, front)
    for seed, condition in zip(seeds, told, strict=True):
        face = face_of_seed(generator, seed, condition, settings)
        grid = volume(generator, face, settings["volume_resolution"])
        if settings["volume"]:
            print(save_volume(grid, outdir / f"seed{seed:04d}_volume.npz"))
        if settings["mesh"]:
            _save_mesh(generator, face, grid, settings["mesh_level"], outdir / f"seed{seed:04d}")


def save_volume(grid: DensityGrid, path: Path) -> Path:
    """npz: sigma[x, y, z] (raw; density = softplus(sigma - 1)), world position of sigma[0, 0, 0], spacing."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, sigma=grid.sigma, origin=grid.origin, spacing=np.float64(grid.spacing))
    return path


def _save_mesh(generator: Any, face: Face, grid: DensityGrid, level: float, stem: Path) -> None:
    try:
        surface = isosurface(grid, level)
    except ValueError as error:
        raise ValueError(f"mesh of seed {face.seed}: {error}; choose another mesh_level") from error
    colors = vertex_colors(generator, face, surface.vertices)
    for save, ending in ((save_ply, "ply"), (save_glb, "glb")):
        save(surface, colors, stem.with_name(f"{stem.name}.{ending}"))
    print(f"{stem}.ply and .glb: {len(surface.vertices)} vertices, {len(surface.triangles)} triangles")
