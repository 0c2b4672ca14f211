"""The skin: one grid over face, scalp, neck and shoulders, with slits for the mouth and the lids."""

from typing import NamedTuple

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import Array, plateau
from facegen.morphable.procedural.mesh import Index, grid_triangles
from facegen.morphable.procedural.skull import surface_along

_EYE_REACH = 0.034  # how far above and below the lids' line the skin folds when they open
_CROWN_ROW = 0.175  # rays above it fan out to the top of the head
_MOUTH_AZIMUTH = np.arctan2(anatomy.MOUTH_CORNER[0], anatomy.MOUTH_CORNER[2] - anatomy.AXIS_Z)
_EYE_AZIMUTHS = np.arctan2([anatomy.CANTHUS_INNER, anatomy.CANTHUS_OUTER], [0.232, 0.213])


class Slit(NamedTuple):
    """Columns between (exclusive) which a row of the grid has two copies of its vertices."""

    row: int
    first: int
    last: int
    upper: Index  # (last - first + 1,) vertices of the upper edge, ends included
    lower: Index


class FaceGrid(NamedTuple):
    """Ray of each vertex, and how vertices hang together. All angles are radians."""

    height: Array  # (V,) y of the ray's origin
    elevation: Array
    azimuth: Array  # 0 in front, positive towards +x
    level: Array  # (V,) 1 and -1 on the upper and lower edge of slits
    triangles: Index
    mouth: Slit
    eyes: tuple[Slit, Slit]  # the one at negative x first
    numbers: Index  # (R, C) vertices, upper edges at slits


def _spaced(start: float, stop: float, step: float) -> Array:
    count = max(round(abs(stop - start) / step), 1)
    return np.linspace(start, stop, count + 1)[1:]


def _rows(detail: float) -> tuple[Array, Array]:
    """Heights and elevations of the rows, from the crown to the shoulders."""
    step = 1 / detail
    crown = np.radians(_spaced(89, 0, 2.6 * step))
    bands = [
        (_CROWN_ROW, 0.155, 0.004),
        (0.155, 0.125, 0.0022),
        (0.125, 0.115, 0.0028),
        (0.115, anatomy.EYE_ROW, 0.0019),
        (anatomy.EYE_ROW, 0.055, 0.0019),
    ]
    bands += [(0.055, -0.045, 0.0026), (-0.045, anatomy.MOUTH_ROW, 0.0021), (anatomy.MOUTH_ROW, -0.13, 0.0021)]
    middle = np.concatenate([_spaced(start, stop, size * step) for start, stop, size in bands])
    jaw = _spaced(0, 1, 0.04 * step)
    neck = _spaced(0, 1, 0.08 * step)
    heights = [np.full(len(crown), _CROWN_ROW), middle, -0.13 - 0.07 * jaw, -0.20 - 0.16 * neck]
    elevations = [crown, 0 * middle, -0.8 * jaw, -0.8 + 0.35 * neck]
    return np.concatenate(heights), np.concatenate(elevations)


def _columns(detail: float) -> Array:
    """Azimuths of the columns from the back over the viewer's left to the right; 0 and 180 degrees are among them."""
    bands = [(0, 34, 0.62), (34, 70, 1.3), (70, 120, 2.6), (120, 180, 4.5)]
    half = np.radians(np.concatenate([_spaced(start, stop, size / detail) for start, stop, size in bands]))
    return np.concatenate([-half[-2::-1], [0.0], half])


def _cut(index: Index, row: int, first: int, last: int, count: int) -> tuple[Slit, int]:
    """Give row `row` own vertices for its lower edge between two columns; returns the new vertex count too."""
    upper = index[row, first : last + 1].copy()
    lower = upper.copy()
    lower[1:-1] = count + np.arange(last - first - 1)
    return Slit(row, first, last, upper, lower), count + last - first - 1


def face_grid(detail: float = 1.0) -> FaceGrid:
    """Lay out the grid; `detail` multiplies the number of rows and columns."""
    (heights, elevations), azimuths = _rows(detail), _columns(detail)
    shape = (len(heights), len(azimuths))
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    nearest = [int(np.abs(azimuths - angle).argmin()) for angle in (*_EYE_AZIMUTHS, _MOUTH_AZIMUTH)]
    inner, outer, corner = nearest
    other = 2 * int(np.abs(azimuths).argmin())  # column c mirrors to other - c
    eye_row, mouth_row = (int(np.abs(heights - y).argmin()) for y in (anatomy.EYE_ROW, anatomy.MOUTH_ROW))
    count, slits = index.size, []
    for row, first, last in (
        (eye_row, other - outer, other - inner),
        (eye_row, inner, outer),
        (mouth_row, other - corner, corner),
    ):
        slit, count = _cut(index, row, first, last, count)
        slits.append(slit)
    flat = [np.repeat(heights, shape[1]), np.repeat(elevations, shape[1]), np.tile(azimuths, shape[0])]
    level = np.zeros(count)
    below = index.copy()
    for slit in slits:
        flat = [np.concatenate([values, values[slit.upper[1:-1]]]) for values in flat]
        level[slit.upper[1:-1]], level[slit.lower[1:-1]] = 1, -1
        below[slit.row, slit.first : slit.last + 1] = slit.lower
    triangles, (height, elevation, azimuth) = _triangles(index, below, azimuths), flat
    return FaceGrid(height, elevation, azimuth, level, triangles, slits[2], (slits[0], slits[1]), index)


def _triangles(index: Index, below: Index, azimuths: Array) -> Index:
    """Cells hang on the upper edge of the row under them and on the lower edge of the row over them."""
    rows, cells = [], index.shape[1]
    flip = np.append(azimuths[:-1] + azimuths[1:] > 0, False)[None]
    for row in range(index.shape[0] - 1):
        pair = np.stack([below[row], index[row + 1]])
        pair = np.concatenate([pair, pair[:, :1]], axis=1)
        rows.append(grid_triangles(pair, flip[:, :cells]))
    return np.concatenate(rows)


def _open_lids(grid: FaceGrid, closed: float, raised: float) -> Array:
    """Heights of the rays after folding the skin away from the lids' line.

    `closed` takes the upper lids from open (0) to the edge of the lower ones (1), `raised` takes the lower lids from
    their place (0) to the line (1).
    """
    inner, outer = _EYE_AZIMUTHS
    u = (np.abs(grid.azimuth) - (inner + outer) / 2) / ((outer - inner) / 2)  # -1 at the nose, 1 at the temple
    inside = np.clip(1 - u * u, 0, 1)
    drop = 0.0075 * inside * (1 + 0.15 * u)
    rise = (1 - closed) * 0.0140 * inside**0.75 * (1 - 0.12 * u) - closed * drop
    drop = (1 - raised) * drop
    tilt = 0.0035 * np.clip(u, -1.4, 1.4) * plateau(np.abs(u), 1.2, 2.0)
    d = grid.height - anatomy.EYE_ROW
    above = (d > 0) | ((d == 0) & (grid.level > 0))
    amount = np.where(above, rise, -drop)
    fold = np.clip(1 - np.abs(d) / _EYE_REACH, 0, 1) * (grid.elevation == 0)
    return grid.height + (np.where((d == 0) & (grid.level == 0), 0, amount) + tilt) * fold


def _curve_mouth(grid: FaceGrid, height: Array) -> Array:
    """Let the line of the mouth fall towards its corners."""
    u = np.clip(np.abs(grid.azimuth) / _MOUTH_AZIMUTH, 0, 1.5)
    fall = 0.0008 * u**2 - 0.0025 * np.exp(-((u / 0.25) ** 2)) + 0.0015
    return height - fall * plateau(np.abs(grid.height - anatomy.MOUTH_ROW), 0.0, 0.05) * plateau(u, 1.0, 1.5)


def project(
    grid: FaceGrid, closed: float = 0.0, raised: float = 0.0, known: Array | None = None
) -> tuple[Array, Array]:
    """Points on the head and outward ray directions, with the lids as `_open_lids` says.

    `known` are the points for open lids: only rays that move away from theirs are then traced again.
    """
    height = _curve_mouth(grid, _open_lids(grid, closed, raised))
    level = np.cos(grid.elevation)
    directions = np.stack([level * np.sin(grid.azimuth), np.sin(grid.elevation), level * np.cos(grid.azimuth)], axis=-1)
    origins = np.stack([0 * height, height, np.full_like(height, anatomy.AXIS_Z)], axis=-1)
    if known is None:
        return surface_along(origins, directions), directions
    moved = height != _curve_mouth(grid, _open_lids(grid, 0.0, 0.0))
    points = known.copy()
    points[moved] = surface_along(origins[moved], directions[moved])
    return points, directions
