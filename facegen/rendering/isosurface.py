"""Density of a field on a grid, and the closed surface on which the density has a given value."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

POINTS_AT_ONCE = 2**16  # memory of a field's features is then about 30 MB


class DensityGrid(NamedTuple):
    """Raw densities at the centres of N^3 cells that fill a cube about the origin; density = softplus(sigma - 1)."""

    sigma: Float[np.ndarray, "x y z"]
    origin: Float[np.ndarray, "3"]  # world position of sigma[0, 0, 0]
    spacing: float  # between neighbours, in world units


class Surface(NamedTuple):
    """A mesh whose triangles are counter-clockwise seen from outside."""

    vertices: Float[np.ndarray, "vertex 3"]  # world units
    triangles: Int[np.ndarray, "face 3"]
    normals: Float[np.ndarray, "vertex 3"]  # unit length, outwards


def density(sigma: float) -> float:
    """Density per world unit of a raw density, as volume rendering sees it."""
    return float(np.logaddexp(0.0, sigma - 1))


def raw_density(density: float) -> float:
    """The raw density sigma with softplus(sigma - 1) = `density`, which is above 0."""
    if not (density > 0 and math.isfinite(density)):
        raise ValueError(f"density: got {density}, expected a number above 0")
    return 1 + density + math.log(-math.expm1(-density))


def cell_centres(index: Int[Tensor, " point"], resolution: int, side: float) -> Float[Tensor, "point 3"]:
    """Positions of cells by their number, which counts z fastest and x slowest.

    Centres, not corners: planes of features are sampled half a texel inside their borders, where they fade to zero.
    """
    cell = torch.stack([index // resolution**2, index // resolution % resolution, index % resolution], dim=-1)
    return (cell + 0.5) * (side / resolution) - side / 2


def sample_grid(resolution: int, side: float) -> tuple[Float[Tensor, "point 3"], float, float]:
    """Points at which EG3D's published shape extraction asks for densities, first coordinate, and spacing.

    Its y and x indices come from divisions that keep the fraction: y grows by 1/N of a cell from one point to the next
    along z, x likewise, so the grid is sheared by up to one cell. `density_grid` has no such shear; this is for
    comparison with published volumes.
    """
    index = torch.arange(resolution**3)
    rows = index.float() / resolution
    fractional = torch.stack([rows / resolution % resolution, rows % resolution, (index % resolution).float()], dim=-1)
    spacing = side / (resolution - 1)
    return fractional * spacing - side / 2, -side / 2, spacing


@torch.no_grad()
def density_grid(
    sigma_at: Callable[[Float[Tensor, "point 3"]], Float[Tensor, " point"]],
    resolution: int,
    side: float,
    device: torch.device | str = "cpu",
    chunk: int = POINTS_AT_ONCE,
    description: str = "volume",
) -> DensityGrid:
    """Ask a field for its raw density in the cube [-side/2, side/2]^3, `chunk` points at a time."""
    if resolution < 2 or chunk < 1 or side <= 0:
        got = f"resolution={resolution}, side={side}, chunk={chunk}"
        raise ValueError(f"density grid: got {got}; expected at least 2, above 0, at least 1")
    sigma = np.empty(resolution**3, np.float32)
    with tqdm(total=len(sigma), desc=description, unit="pt", unit_scale=True) as progress:
        for start in range(0, len(sigma), chunk):
            index = torch.arange(start, min(start + chunk, len(sigma)), device=device)
            sigma[start : start + chunk] = sigma_at(cell_centres(index, resolution, side)).reshape(-1).float().cpu()
            progress.update(len(index))
    spacing = side / resolution
    origin = np.full(3, (spacing - side) / 2, np.float32)
    return DensityGrid(sigma.reshape(resolution, resolution, resolution), origin, spacing)


def closed(sigma: Float[np.ndarray, "x y z"], level: float) -> Float[np.ndarray, "x2 y2 z2"]:
    """Add one layer of cells around a grid so that no surface is open at the border.

    What is above the level at the border is mirrored at it: interpolation then passes the level half-way between the
    outermost centres and the added ones, exactly on the faces of the cube.
    """
    padded = np.pad(sigma, 1, mode="edge")
    outside = np.minimum(padded, 2 * level - padded)
    outside[1:-1, 1:-1, 1:-1] = sigma
    return outside


def isosurface(grid: DensityGrid, level: float) -> Surface:
    """Marching cubes (Lewiner et al. 2003) at a density per world unit; ValueError where no density passes it."""
    from skimage.measure import marching_cubes  # a second to import

    from facegen.rendering.kernels import vertex_normals

    raw = raw_density(level)
    _check_range(grid.sigma, level, raw)
    vertices, triangles, _, _ = marching_cubes(closed(grid.sigma, raw), raw, allow_degenerate=False)
    vertices = (grid.origin + (vertices - 1) * grid.spacing).astype(np.float32)
    triangles = np.ascontiguousarray(triangles[:, ::-1], np.int32)  # scikit-image follows the left-hand rule
    return Surface(vertices, triangles, vertex_normals(vertices, triangles))


def _check_range(sigma: np.ndarray, level: float, raw: float) -> None:
    low, high = float(sigma.min()), float(sigma.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the volume has densities that are not finite; are these weights of a run that diverged?")
    if not low < raw < high:
        state = "empty" if raw >= high else "solid"
        raise ValueError(
            f"got density {level:.4g} (sigma {raw:.4g}), but the volume is {state} there: its sigma goes from "
            f"{low:.4g} to {high:.4g}, expected a density between {density(low):.4g} and {density(high):.4g}"
        )
