"""Hair: a shell over the scalp whose thickness makes the style, and a curtain that hangs down for long hair.

Where the shell's thickness is negative it lies under the skin and is not seen, so hairlines, fringes, receding and
bald heads are linear in a few thickness fields. The curtain is rolled up under the skin until it is let down.
"""

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import Array, bump, plateau, side, smoothstep, value_noise
from facegen.morphable.procedural.mesh import Piece, grid_triangles, piece
from facegen.morphable.procedural.skull import surface_along

_CENTER = np.array([0.0, 0.10, -0.03])
# azimuth in degrees and height of the edge of the hair: forehead, temple, sideburn, over the ear, nape
_EDGE_AZIMUTH = [0, 22, 40, 52, 62, 70, 78, 86, 93, 106, 120, 134, 150, 180]
_EDGE_HEIGHT = [0.246, 0.244, 0.230, 0.188, 0.130, 0.060, 0.022, 0.020, 0.075, 0.088, 0.05, -0.05, -0.12, -0.135]
SHELL_MODES = (
    "cropped",
    "bald top",
    "fringe",
    "top volume",
    "side volume",
    "back volume",
    "side parting",
    "curls",
    "swept fringe",
    "tousled",
    "low hairline",
)


def _azimuth(points: Array) -> Array:
    return np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - anatomy.AXIS_Z))


def above_hairline(points: Array) -> Array:
    """Height above the edge of the hair, negative on the face."""
    azimuth = _azimuth(points)
    edge = np.interp(azimuth, _EDGE_AZIMUTH, _EDGE_HEIGHT)
    return points[:, 1] - edge


def scalp(rows: int = 84, columns: int = 180) -> tuple[Array, Array, Piece]:
    """Points of the shell on the skin, their outward directions, and the piece they form."""
    half = np.radians(np.interp(np.linspace(0, 1, columns // 2 + 1)[1:], [0, 0.8, 1], [0, 125, 180]))
    azimuth = np.concatenate([-half[-2::-1], [0.0], half])
    top = rows // 2
    elevation = np.concatenate([np.radians(np.linspace(89, 0, top)), np.zeros(rows - top)])
    height = np.concatenate([np.full(top, 0.13), np.linspace(0.13, -0.17, rows - top + 1)[1:]])
    e, a = (grid.ravel() for grid in np.meshgrid(elevation, azimuth, indexing="ij"))
    y = np.repeat(height, len(azimuth))
    directions = np.stack([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], axis=-1)
    origins = np.stack([0 * y, y, np.full_like(y, anatomy.AXIS_Z)], axis=-1)
    points = surface_along(origins, directions)
    index = np.arange(len(y)).reshape(rows, -1)
    index = np.concatenate([index, index[:, :1]], axis=1)
    flip = np.append(azimuth[:-1] + azimuth[1:] > 0, False)[None].repeat(rows - 1, 0)
    outward = points - _CENTER
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    coordinates = np.stack([a, np.repeat(np.linspace(0, 1, rows), len(azimuth))], axis=-1)
    return points, outward, piece(points, grid_triangles(index, flip), "hair", coordinates)


def _strands(points: Array) -> Array:
    """Noise along hairs that fall from the crown."""
    azimuth = np.arctan2(np.abs(points[:, 0]), points[:, 2] - anatomy.AXIS_Z)
    along = np.stack([azimuth, points[:, 1], 0 * azimuth], axis=-1)
    return value_noise(along, (14, 6, 1), 3) * 0.6 + value_noise(along, (40, 8, 1), 4) * 0.4


def shell_thickness(points: Array) -> tuple[Array, Array]:
    """Thickness (V,) of an ordinary short cut, and what each of SHELL_MODES adds to it (V, 8)."""
    m = above_hairline(points)
    noise, azimuth = _strands(points), _azimuth(points)
    covered = smoothstep(m + 0.006 * noise, -0.006, 0.012)
    deep = smoothstep(m, -0.02, 0.09)
    base = covered * (0.0035 + 0.0225 * deep + 0.0025 * noise) - 0.012 * (1 - covered)
    base = base - 0.09 * smoothstep(m, -0.03, -0.12) * plateau(azimuth, 60, 80)
    y = points[:, 1]
    front = plateau(azimuth, 35, 62)
    fringe_edge = 0.160 + 0.014 * noise + 0.02 * (azimuth / 45) ** 2
    fringe = front * smoothstep(y, fringe_edge - 0.004, fringe_edge + 0.008) * plateau(m, 0.01, 0.06)
    bald = smoothstep(y + 0.05 * np.cos(np.radians(azimuth)) + 0.008 * noise, 0.125, 0.20) * covered
    back = bump(points, (0, 0.08, -0.25), (0.16, 0.15, 0.12))
    sides = smoothstep(np.abs(points[:, 0]), 0.10, 0.18) * covered
    curls = value_noise(points, 55, 7) * covered * deep
    parting = side(points[:, 0] - 0.0, 0.03) * front * smoothstep(m, -0.02, 0.03) * covered
    modes = [
        -0.017 * covered * deep - 0.003 * covered,
        -0.034 * bald,
        0.026 * fringe,
        0.022 * bump(points, (0, 0.36, 0.02), (0.13, 0.07, 0.14)) * covered,
        0.016 * sides * smoothstep(m, 0, 0.05),
        0.022 * back * covered,
        0.007 * parting,
        0.010 * curls,
        0.020 * fringe * side(points[:, 0], 0.05),
        0.012 * value_noise(points, (38, 16, 38), 8) * covered * deep,
        0.015 * front * np.exp(-((m / 0.018) ** 2)),
    ]
    return base, np.stack(modes, axis=-1)


def curtain(rows: int = 34, columns: int = 120) -> tuple[Piece, Array]:
    """The rolled-up curtain and the (V, 3) way it falls to shoulder length."""
    azimuth = np.radians(np.linspace(66, 294, columns))
    around = np.minimum(azimuth, 2 * np.pi - azimuth)
    openness = smoothstep(around, np.radians(66), np.radians(84))
    down = np.concatenate([np.linspace(0, 1, rows), np.linspace(1, 0, rows // 2)])
    inner = np.concatenate([np.zeros(rows), np.ones(rows // 2)])
    t, a = np.meshgrid(down, azimuth, indexing="ij")
    inside, _ = np.meshgrid(inner, azimuth, indexing="ij")
    thick = openness[None] * np.sin(np.pi * np.clip(t, 0, 1) * 0.93 + 0.1) ** 0.5
    flat = 0.97 - 0.16 * np.maximum(-np.cos(a), 0)  # the back of the head hangs straighter than its sides
    radius = 0.212 * flat + 0.018 * np.sin(np.pi * t * 0.8) - 0.012 * t**2
    radius = radius + (0.5 - inside) * 0.045 * thick
    swing = a - np.sign(np.pi - a) * 0.22 * t * plateau(np.abs(np.abs(np.pi - a) - 1.99), 0.0, 0.5)
    ragged = 0.02 * value_noise(np.stack([np.abs(np.pi - a).ravel() * 1.0, 0 * a.ravel(), 0 * a.ravel()], -1), 22, 9)
    fall = 0.52 + ragged.reshape(t.shape)
    end = np.stack([radius * np.sin(swing), 0.16 - fall * t, radius * np.cos(swing) * 1.05 - 0.035], axis=-1)
    start = np.stack([0.15 * np.sin(a), 0.12 + 0 * a, 0.17 * np.cos(a) - 0.03], axis=-1)
    index = np.arange(t.size).reshape(t.shape)
    coordinates = np.stack([a.ravel(), t.ravel()], axis=-1)
    made = piece(start.reshape(-1, 3), grid_triangles(index), "hair", coordinates)
    return made, (end - start).reshape(-1, 3)
