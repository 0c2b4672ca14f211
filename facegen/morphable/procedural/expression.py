"""Expressions: linear movements from the neutral face; a coefficient of 1 is the full movement."""

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import Array, bump, mirrored_bump, plateau, side, smoothstep, vector
from facegen.morphable.procedural.identity import Modes
from facegen.morphable.procedural.template import Template

_JAW_ANGLE = np.radians(17)
_GAZE_ANGLE = np.radians(12)


def _mouth_level(template: Template) -> Array:
    """1 above and -1 below the slit of the mouth, 0 for the lids too."""
    return np.where(template.anchors[:, 1] < 0, template.level, 0)


def jaw_weight(template: Template) -> Array:
    """How much of a vertex goes with the lower jaw: a sharp step at the slit, a soft one beyond its corners."""
    p = template.anchors
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    u = np.clip(x / anatomy.MOUTH_CORNER[0], 0, 1)
    arch = (1 - u**2) ** 0.6
    below = anatomy.MOUTH_ROW - 0.0008 * u**2 - y
    level = _mouth_level(template)
    is_lower = np.where(level == 0, below > 0, level < 0)
    relax = np.exp(-((below / (0.022 + 0.05 * smoothstep(x, 0.05, 0.15) + 0.02 * is_lower)) ** 2))
    weight = np.where(is_lower, 1 - 0.6 * (1 - arch) * relax, 0.4 * (1 - arch) * relax)
    neck = smoothstep(y, -0.33, -0.21) * smoothstep(z, -0.04, 0.06)
    hard = np.isin(np.arange(len(p)), _range(template, "upper teeth", "lower teeth"))
    inside = np.isin(np.arange(len(p)), _range(template, "upper lip", "lower lip"))
    weight = np.where(inside, weight + (0.5 - weight) * smoothstep(template.coordinates[:, 0], 0.7, 1), weight * neck)
    return np.where(hard, np.where(level > 0, 0.0, 1.0), weight)


def _range(template: Template, *names: str) -> Array:
    return np.concatenate([np.arange(template.pieces[name].start, template.pieces[name].stop) for name in names])


def _jaw(template: Template) -> dict[str, Array]:
    p = template.vertices
    weight = jaw_weight(template)[:, None]
    offset = p - anatomy.JAW_HINGE
    c, s = np.cos(_JAW_ANGLE), np.sin(_JAW_ANGLE)
    turned = np.stack([offset[:, 0], c * offset[:, 1] - s * offset[:, 2], s * offset[:, 1] + c * offset[:, 2]], axis=-1)
    shift = np.zeros_like(p)
    shift[:, 0] = 0.012
    forward = np.zeros_like(p)
    forward[:, 2] = 0.010
    return {
        "jaw open": weight * (turned - offset),
        "jaw sideways": weight * shift,
        "jaw forward": weight * forward,
    }


def _lips(template: Template) -> dict[str, Array]:
    p, level = template.anchors, _mouth_level(template)
    x, y, z = p.T
    front = smoothstep(z, 0.10, 0.17)
    corner = mirrored_bump(p, anatomy.MOUTH_CORNER.tolist(), (0.030, 0.024, 0.045)) * front
    cheek = mirrored_bump(p, (0.092, -0.005, 0.19), (0.034, 0.032, 0.05)) * front
    lips = bump(p, (0, -0.094, 0.25), (0.050, 0.030, 0.05)) * front
    is_upper = np.where(level != 0, level > 0, y > anatomy.MOUTH_ROW)
    upper = bump(p, (0, -0.080, 0.26), (0.042, 0.020, 0.04)) * front * is_upper
    lower = bump(p, (0, -0.106, 0.255), (0.042, 0.020, 0.04)) * front * ~is_upper
    only_skin = np.where(np.isin(np.arange(len(p)), _range(template, "upper teeth", "lower teeth")), 0.0, 1.0)
    widen = vector(0.019 * corner * side(x), 0.016 * corner + 0.009 * cheek, -0.009 * corner + 0.007 * cheek)
    thin = vector(0, 0.003 * upper, -0.004 * (upper + lower))
    modes = {
        "smile": widen + thin,
        "grin": vector(0.010 * corner * side(x), 0.008 * upper - 0.006 * lower, -0.003 * lips),
        "frown": vector(0.003 * corner * side(x), -0.012 * corner, 0) + vector(0, 0.002 * lower, 0.002 * lower),
        "pucker": vector(-0.32 * x * bump(p, (0, -0.094, 0.24), (0.07, 0.04, 0.07)), 0, 0.014 * lips),
        "lips in": vector(0, -0.003 * upper + 0.003 * lower, -0.009 * (upper + lower)),
        "upper lip up": vector(0, 0.011 * upper, 0.001 * upper),
        "lower lip down": vector(0, -0.011 * lower, 0.001 * lower),
        "puffed cheeks": vector(0.018 * side(x), 0, 0.010)
        * mirrored_bump(p, (0.10, -0.075, 0.15), (0.040, 0.035, 0.06))[:, None],
        "smirk": vector(0.014 * corner, 0.010 * corner * side(x), -0.004 * corner * side(x)),
    }
    return {name: field * only_skin[:, None] for name, field in modes.items()}


def _upper_face(template: Template) -> dict[str, Array]:
    p = template.anchors
    x, y, z = p.T
    front = smoothstep(z, 0.05, 0.12) * smoothstep(y, 0.095, 0.125)
    inner = mirrored_bump(p, (0.045, 0.142, 0.235), (0.028, 0.026, 0.05)) * front
    outer = mirrored_bump(p, (0.115, 0.142, 0.195), (0.036, 0.026, 0.06)) * front
    sneer = mirrored_bump(p, (0.022, 0.0, 0.26), (0.018, 0.022, 0.03))
    eyeballs = np.isin(np.arange(len(p)), _range(template, "right eye", "left eye"))
    inner, outer, sneer = (np.where(eyeballs, 0, field) for field in (inner, outer, sneer))
    left = (template.anchors[:, :1] > 0).astype(np.float64)
    return {
        "inner brows up": vector(0, 0.011 * inner, 0),
        "outer brows up": vector(0, 0.011 * outer, 0),
        "brows down": vector(-0.006 * inner * side(x), -0.009 * inner - 0.005 * outer, 0.003 * inner),
        "nose wrinkled": vector(0, 0.007 * sneer, 0.002 * sneer),
        "blink": template.upper_lids,
        "wink": template.upper_lids * (2 * left - 1),
        "squint": 0.28 * template.upper_lids + 0.75 * template.lower_lids,
        "wide eyes": -0.22 * template.upper_lids - 0.08 * template.lower_lids,
    }


def _gaze(template: Template) -> dict[str, Array]:
    """Small turns of both eyeballs, to first order."""
    around_y, around_x = np.zeros_like(template.vertices), np.zeros_like(template.vertices)
    for name in ("right eye", "left eye"):
        where = template.pieces[name]
        x, y, z = (template.vertices[where] - template.anchors[where]).T
        around_y[where] = _GAZE_ANGLE * vector(z, 0, -x)
        around_x[where] = _GAZE_ANGLE * vector(0, z, -y)
    lids = plateau(np.abs(template.anchors[:, 1] - 0.084), 0.03, 0.05)[:, None]
    return {
        "gaze sideways": around_y,
        "gaze up": around_x - 0.18 * lids * template.upper_lids - 0.10 * lids * template.lower_lids,
    }


ANTISYMMETRIC = ("jaw sideways", "smirk", "wink", "gaze sideways")


def expression_modes(template: Template) -> Modes:
    """All movements of the face."""
    fields = _jaw(template) | _lips(template) | _upper_face(template) | _gaze(template)
    return Modes(tuple(fields), np.stack(list(fields.values())))
