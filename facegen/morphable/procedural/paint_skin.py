"""Colours of the skin: complexion, lips, brows, beard, freckles and lines."""

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import (
    Array,
    bump,
    mirrored_bump,
    plateau,
    smoothstep,
    tinted,
    value_noise,
)
from facegen.morphable.procedural.hair import above_hairline
from facegen.morphable.procedural.mesh import PARTS
from facegen.morphable.procedural.template import Template

SKIN, LIP = (0.80, 0.615, 0.53), (0.72, 0.43, 0.41)
LASH, LID_EDGE = np.array([0.10, 0.07, 0.06]), np.array([0.74, 0.50, 0.45])
# edge of the beard: height by distance from the middle of the face
_BEARD_X, _BEARD_Y = [0, 0.05, 0.075, 0.12, 0.15, 0.175, 0.19], [-0.055, -0.06, -0.085, -0.078, -0.045, 0.02, 0.06]


def brow_mask(p: Array) -> Array:
    """Where eyebrows grow, with hairs."""
    x, y = np.abs(p[:, 0]), p[:, 1]
    u = np.clip((x - 0.036) / 0.110, 0, 1)
    line = 0.1345 + 0.0145 * np.sin(np.pi * u**0.9 * 0.80) - 0.008 * u**3
    half = 0.0085 - 0.0045 * u
    ends = smoothstep(x, 0.030, 0.042) * smoothstep(x, 0.155, 0.125)
    slanted = np.stack([x, y + 0.6 * x, p[:, 2]], axis=-1)
    hairs = 0.75 + 0.35 * value_noise(slanted, (320, 140, 60), 21)
    return plateau(np.abs(y - line) / half, 0.35, 1.25) * ends * np.clip(hairs, 0, 1) * (p[:, 2] > 0.08)


def beard_masks(p: Array) -> tuple[Array, Array]:
    """Where a full beard and where a moustache grows, with hairs."""
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    hairs = 0.8 + 0.3 * value_noise(p, (260, 90, 200), 22)
    edge = np.interp(x, _BEARD_X, _BEARD_Y)
    beard = smoothstep(y, edge + 0.012, edge - 0.018) * smoothstep(y, -0.275, -0.225) * smoothstep(z, -0.03, 0.03)
    around_mouth = 1 - plateau(np.hypot(x / 0.058, (y + 0.103) / 0.024), 0.9, 1.15)
    moustache = plateau(np.hypot(x / 0.075, (y + 0.062 + 5.4 * x**2) / 0.014), 0.6, 1.15) * (z > 0.15)
    return beard * around_mouth * hairs, moustache * hairs


def _regions(p: Array) -> dict[str, Array]:
    """Weights (V,) of the places that have colours of their own."""
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    line = x - (0.046 + 0.30 * np.clip(-0.03 - y, 0, 0.08))
    forehead = plateau(np.abs(y - 0.195), 0.02, 0.04) * plateau(x, 0.05, 0.12) * (z > 0.1)
    cheeks = mirrored_bump(p, (0.100, -0.005, 0.17), (0.036, 0.032, 0.06))
    nose = bump(p, (0, -0.008, 0.305), (0.026, 0.020, 0.04))
    ears = mirrored_bump(p, (0.21, 0.04, -0.03), (0.03, 0.05, 0.05))
    return {
        "cheeks": cheeks,
        "nose": nose,
        "red": 0.55 * cheeks + 0.6 * nose + 0.3 * ears,
        "lids": mirrored_bump(p, (0.085, 0.106, 0.20), (0.034, 0.012, 0.03)),
        "under eyes": mirrored_bump(p, (0.080, 0.062, 0.20), (0.028, 0.009, 0.03)),
        "nostrils": np.clip(mirrored_bump(p, anatomy.NOSTRIL, (0.0075, 0.0055, 0.016)), 0, 1),
        "creases": mirrored_bump(p, (0.0385, -0.022, 0.243), (0.006, 0.018, 0.02)),
        "folds": np.exp(-((line / 0.004) ** 2)) * plateau(np.abs(y + 0.06), 0.02, 0.045) * (z > 0.15),
        "furrows": np.clip(np.sin(y * 2 * np.pi / 0.017 + 8 * x**2), 0, 1) ** 4 * forehead,
    }


def _average(template: Template, where: dict[str, Array]) -> Array:
    color = np.asarray(SKIN) + tinted(where["red"], (0.015, -0.035, -0.035))
    color = color + tinted(where["lids"], (-0.01, -0.03, -0.02)) + tinted(template.lip, np.subtract(LIP, SKIN))
    color = color - tinted(where["under eyes"], (0.025, 0.032, 0.02)) - tinted(where["folds"], (0.05, 0.06, 0.06))
    color = color - tinted(where["nostrils"], (0.62, 0.52, 0.46)) - tinted(where["creases"], (0.10, 0.11, 0.10))
    color = color - tinted(brow_mask(template.vertices), (0.36, 0.33, 0.29))
    for name in ("right upper lid", "left upper lid", "right lower lid", "left lower lid"):
        piece = template.pieces[name]
        depth, along = template.coordinates[piece].T
        dark = 0.85 if "upper" in name else 0.35
        lash = (dark * plateau(depth, 0.3, 0.9) * plateau(np.abs(along), 0.75, 1.0))[:, None]
        color[piece] = LID_EDGE * (1 - lash) + LASH * lash
    return np.clip(color, 0.02, 1)


def _complexion(template: Template, where: dict[str, Array]) -> dict[str, Array]:
    p, bare = template.vertices, 1 - 0.8 * where["nostrils"]
    spots = smoothstep(value_noise(p, 230, 23), 0.45, 0.75) * (where["cheeks"] + where["nose"])
    mottled = [value_noise(p, 26, seed) + 0.5 * value_noise(p, 60, seed + 1) for seed in (31, 33)]
    return {
        "skin tone": tinted(bare * (1 - 0.35 * template.lip), (0.145, 0.150, 0.145)),
        "skin warmth": tinted(bare, (0.018, 0.0, -0.026)),
        "skin redness": tinted(bare * (0.4 + np.clip(where["red"], 0, 1)), (0.020, -0.022, -0.018)),
        "blush": tinted(where["cheeks"], (0.01, -0.05, -0.045)),
        "freckles": tinted(spots * bare, (-0.07, -0.08, -0.07)),
        "mottling": tinted(mottled[0] * bare, (0.010, 0.012, 0.012)),
        "patches": tinted(mottled[1] * bare, (0.004, 0.014, 0.014)),
        "tired eyes": tinted(where["under eyes"], (-0.035, -0.04, -0.02)),
        "wrinkles": tinted(0.8 * (where["folds"] + where["furrows"]), (-0.05, -0.06, -0.06)),
    }


def _make_up_and_hair(template: Template, where: dict[str, Array]) -> dict[str, Array]:
    p, lip = template.vertices, template.lip
    brow, (beard, moustache) = brow_mask(p), beard_masks(p)
    ragged = above_hairline(p) + 0.006 * value_noise(p, (300, 80, 80), 25)
    scalp = smoothstep(ragged, -0.012, 0.02) * (template.part == PARTS.index("skin"))
    return {
        "eye shadow": tinted(where["lids"], (-0.10, -0.12, -0.07)),
        "lip redness": tinted(lip, (0.01, -0.055, -0.045)),
        "lip darkness": tinted(lip, (-0.05, -0.035, -0.03)),
        "brow darkness": tinted(brow, (-0.08, -0.08, -0.075)),
        "brow warmth": tinted(brow, (0.03, 0.0, -0.02)),
        "beard": tinted(beard * (1 - lip), (-0.34, -0.31, -0.28)),
        "moustache": tinted(moustache * (1 - lip), (-0.34, -0.31, -0.28)),
        "shaved scalp": tinted(scalp, (-0.14, -0.12, -0.10)),
    }


def paint_skin(template: Template) -> tuple[Array, dict[str, Array]]:
    """Average colours (V, 3) of skin and ears, zero elsewhere, and the modes that change them."""
    skin = np.isin(template.part, [PARTS.index("skin"), PARTS.index("ear")])[:, None]
    where = _regions(template.vertices)
    modes = _complexion(template, where) | _make_up_and_hair(template, where)
    return _average(template, where) * skin, {name: field * skin for name, field in modes.items()}
