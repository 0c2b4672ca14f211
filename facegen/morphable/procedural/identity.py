"""Identity: linear movements of the average head's vertices that change who it is, and its hair.

Every mode is a smooth field over space in units of one standard deviation among people. Inside the eye sockets fields
are replaced by their value at the eyeball's centre, so that lids keep lying on the eyeballs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import Array, bump, mirrored_bump, plateau, side, smoothstep, vector
from facegen.morphable.procedural.hair import SHELL_MODES
from facegen.morphable.procedural.template import Template

HAIR_MODES = tuple(f"hair {name}" for name in (*SHELL_MODES, "length"))


class Modes(NamedTuple):
    """K named linear modes of V vertices."""

    names: tuple[str, ...]
    fields: Array  # (K, V, 3)


def _lower_face(p: Array) -> Array:
    """0 above the eyes, 1 on the chin, fading down the neck."""
    return smoothstep(p[:, 1], 0.07, -0.17) * smoothstep(p[:, 1], -0.36, -0.22) * smoothstep(p[:, 2], -0.12, 0.06)


def _head(p: Array) -> Array:
    return smoothstep(p[:, 1], -0.34, -0.16)


def _skull(p: Array) -> dict[str, Array]:
    x, y, z = p.T
    head, lower, neck = _head(p), _lower_face(p), smoothstep(y, -0.12, -0.24)
    forehead = bump(p, (0, 0.20, 0.17), (0.13, 0.07, 0.10))
    jaw = smoothstep(y, 0.02, -0.12) * smoothstep(y, -0.30, -0.20) * smoothstep(z, -0.10, 0.02)
    cheeks = mirrored_bump(p, (0.12, -0.09, 0.09), (0.07, 0.07, 0.12))
    corner = mirrored_bump(p, (0.15, -0.10, 0.02), (0.05, 0.05, 0.05))
    temple = mirrored_bump(p, (0.16, 0.13, 0.08), (0.07, 0.07, 0.09))
    return {
        "head width": vector(0.035 * x * head, 0, 0),
        "head height": vector(0, 0.045 * (y - 0.084) * smoothstep(y, 0.05, 0.25), 0),
        "head depth": vector(0, 0, 0.045 * (z - 0.05) * smoothstep(z, 0.12, -0.15) * head),
        "face length": vector(0, -0.0095 * lower, 0),
        "forehead slope": vector(0, 0, -0.010 * forehead),
        "temple width": vector(0.007 * temple * side(x), 0, 0),
        "jaw width": vector(0.075 * x * jaw, 0, 0),
        "jaw corner": vector(0.010 * corner * side(x), 0, 0),
        "fat": vector(0.085 * x * cheeks, -0.004 * jaw, 0.003 * jaw),
        "neck width": vector(0.07 * x * neck, 0, 0.07 * (z + 0.04) * neck),
        "face depth": vector(0, 0, 0.006 * bump(p, (0, -0.03, 0.25), (0.12, 0.12, 0.08))),
    }


def _cheeks_chin_brow(p: Array) -> dict[str, Array]:
    x = p[:, 0]
    chin = bump(p, (0, -0.195, 0.195), (0.045, 0.04, 0.06))
    bone = mirrored_bump(p, (0.125, 0.03, 0.13), (0.05, 0.035, 0.06))
    hollow = mirrored_bump(p, (0.115, -0.055, 0.12), (0.04, 0.045, 0.06))
    brow = mirrored_bump(p, (0.07, 0.132, 0.21), (0.06, 0.024, 0.05))
    corner = mirrored_bump(p, (0.045, -0.19, 0.18), (0.03, 0.03, 0.05))
    fold = mirrored_bump(p, (0.055, -0.05, 0.22), (0.03, 0.03, 0.05))
    return {
        "chin height": vector(0, -0.008 * chin, 0),
        "chin forward": vector(0, 0, 0.009 * chin),
        "chin width": vector(0.006 * corner * side(x), -0.001 * corner, 0.004 * corner),
        "cheek bones": vector(0.007 * bone * side(x), 0, 0.004 * bone),
        "hollow cheeks": vector(-0.0055 * hollow * side(x), 0, -0.003 * hollow),
        "brow ridge": vector(0, -0.002 * brow, 0.006 * brow),
        "brow height": vector(0, 0.006 * brow, 0),
        "full muzzle": vector(0, 0, 0.005 * bump(p, (0, -0.09, 0.25), (0.05, 0.035, 0.06))),
        "cheek folds": vector(0.002 * fold * side(x), 0, 0.0035 * fold),
    }


def _nose(p: Array) -> dict[str, Array]:
    x, y, z = p.T
    nose = bump(p, (0, 0.01, 0.29), (0.035, 0.050, 0.05)) * smoothstep(z, 0.20, 0.26)
    tip = bump(p, (0, -0.01, 0.30), (0.024, 0.022, 0.035))
    wings = mirrored_bump(p, (0.030, -0.022, 0.26), (0.016, 0.018, 0.022))
    bridge = bump(p, (0, 0.055, 0.26), (0.022, 0.030, 0.035))
    base = bump(p, (0, -0.022, 0.275), (0.035, 0.022, 0.04))
    return {
        "nose forward": vector(0, 0, 0.0065 * nose),
        "nose length": vector(0, -0.0055 * base, 0),
        "nose width": vector(0.0052 * wings * side(x, 0.01), 0, 0.001 * wings),
        "nose bridge": vector(0, 0, 0.006 * bridge),
        "nose bridge width": vector(0.22 * x * bridge, 0, 0.001 * bridge),
        "nose tip up": vector(0, 0.006 * tip, 0.002 * tip),
        "nose tip size": vector(0.22 * x * tip, 0.12 * (y + 0.006) * tip, 0.003 * tip),
        "nose hump": vector(0, 0, 0.0045 * bump(p, (0, 0.042, 0.285), (0.016, 0.016, 0.03))),
    }


def _mouth(p: Array) -> dict[str, Array]:
    x, _, z = p.T
    front = smoothstep(z, 0.12, 0.18)
    region = bump(p, (0, -0.095, 0.25), (0.055, 0.030, 0.06)) * front
    upper = bump(p, (0, -0.077, 0.262), (0.040, 0.010, 0.03)) * front
    lower = bump(p, (0, -0.108, 0.255), (0.038, 0.012, 0.03)) * front
    corner = mirrored_bump(p, anatomy.MOUTH_CORNER.tolist(), (0.018, 0.012, 0.03)) * front
    return {
        "mouth width": vector(0.10 * x * region, 0, 0),
        "mouth height": vector(0, 0.005 * region, 0),
        "upper lip": vector(0, 0.0042 * bump(p, (0, -0.071, 0.262), (0.045, 0.007, 0.03)) * front, 0.0026 * upper),
        "lower lip": vector(0, -0.0042 * bump(p, (0, -0.119, 0.255), (0.042, 0.009, 0.03)) * front, 0.003 * lower),
        "mouth corners": vector(0, 0.0035 * corner, 0),
    }


def _eyes(template: Template) -> dict[str, Array]:
    """Modes of the eye region act on eyeballs and lids alike and are not shielded."""
    p, own = template.anchors, template.vertices
    x = p[:, 0]
    sign = np.sign(x)
    center = anatomy.EYE * np.stack([sign, np.ones_like(x), np.ones_like(x)], axis=-1)
    distance = np.linalg.norm(p - center, axis=-1)
    near, wide = plateau(distance, 0.042, 0.075), plateau(distance, 0.045, 0.11)
    offset = own - center
    tilt = vector(-offset[:, 1] * sign, offset[:, 0] * sign, 0)
    return {
        "eye distance": vector(0.0048 * wide * sign, 0, -0.001 * wide),
        "eye height": vector(0, 0.004 * wide, 0),
        "eye depth": vector(0, 0, 0.0045 * wide),
        "eye size": 0.045 * near[:, None] * offset,
        "eye tilt": 0.055 * near[:, None] * tilt,
        "narrow lids": 0.09 * template.upper_lids + 0.08 * template.lower_lids,
        "hooded lids": vector(0, -0.0022 * mirrored_bump(p, (0.09, 0.116, 0.205), (0.03, 0.010, 0.03)), 0)
        + vector(0, 0, 0.0032 * mirrored_bump(p, (0.09, 0.114, 0.205), (0.03, 0.012, 0.03))),
    }


def _ears(template: Template) -> dict[str, Array]:
    moved = np.zeros((2, *template.vertices.shape))
    for name in ("right ear", "left ear"):
        where = template.pieces[name]
        offset = template.vertices[where] - anatomy.EAR * (-1 if name.startswith("right") else 1, 1, 1)
        behind = smoothstep(-offset[:, 2], -0.02, 0.035)
        moved[0, where] = 0.07 * offset
        moved[1, where, 0] = 0.009 * behind * (-1 if name.startswith("right") else 1)
    return {"ear size": moved[0], "ears stick out": moved[1]}


def _asymmetry(p: Array) -> dict[str, Array]:
    """Antisymmetric modes: mirroring the head changes the sign of their coefficients."""
    x, y, z = p.T
    nose = bump(p, (0, -0.005, 0.30), (0.035, 0.04, 0.05))
    mouth = bump(p, (0, -0.095, 0.25), (0.06, 0.03, 0.06))
    eyes = smoothstep(y, 0.02, 0.08) * smoothstep(y, 0.22, 0.14) * smoothstep(z, 0.05, 0.15)
    return {
        "crooked nose": vector(0.003 * nose, 0, 0),
        "crooked mouth": vector(0.002 * mouth, 0.05 * x * mouth, 0),
        "crooked jaw": vector(0.005 * _lower_face(p), 0, 0),
        "uneven eyes": vector(0, 0.0022 * side(x, 0.04) * eyes, 0),
    }


ANTISYMMETRIC = (
    "crooked nose",
    "crooked mouth",
    "crooked jaw",
    "uneven eyes",
    "hair side parting",
    "hair swept fringe",
)


def _shielded(field: Callable[[Array], dict[str, Array]], p: Array) -> dict[str, Array]:
    """Evaluate fields, constant inside each eye socket."""
    fields = field(p)
    for sign in (-1.0, 1.0):
        center = anatomy.EYE * (sign, 1, 1)
        near = plateau(np.linalg.norm(p - center, axis=-1), 0.040, 0.065)[:, None]
        at_center = field(center[None])
        fields = {name: value + near * (at_center[name] - value) for name, value in fields.items()}
    return fields


def identity_modes(template: Template) -> Modes:
    """All modes of shape, then the modes of the hair."""
    fields: dict[str, Array] = {}
    for group in (_skull, _cheeks_chin_brow, _nose, _mouth, _asymmetry):
        fields |= _shielded(group, template.anchors)
    fields |= _eyes(template) | _ears(template)
    fields |= dict(zip(HAIR_MODES, np.moveaxis(template.hair_modes, -1, 0), strict=True))
    return Modes(tuple(fields), np.stack(list(fields.values())))
