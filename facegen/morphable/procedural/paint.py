"""Albedo: the average colours of every piece and the linear modes that change them, display RGB in [0, 1]."""

import numpy as np

from facegen.morphable.procedural.fields import Array, plateau, smoothstep, tinted, value_noise
from facegen.morphable.procedural.identity import Modes
from facegen.morphable.procedural.mesh import PARTS
from facegen.morphable.procedural.paint_skin import LIP, paint_skin
from facegen.morphable.procedural.template import Template

HAIR, IRIS, CLOTH = (0.30, 0.20, 0.14), (0.36, 0.27, 0.19), (0.40, 0.42, 0.46)
# how much one unit of a colour mode adds to red, green or blue
HAIR_STEP, IRIS_STEP, CLOTH_STEP = 0.1, 0.06, 0.2


def _channels(name: str, weight: Array, step: float) -> dict[str, Array]:
    """One mode for each of red, green and blue."""
    return {f"{name} {color}": tinted(weight, step * np.eye(3)[k]) for k, color in enumerate(("red", "green", "blue"))}


def _eyes(template: Template) -> tuple[Array, dict[str, Array]]:
    eye = template.part == PARTS.index("eye")
    polar, around = np.degrees(template.coordinates[:, 0]), template.coordinates[:, 1]
    fibres = np.sin(around * 20) * 0.35 + np.sin(around * 34 + 1.0) * 0.3
    iris = plateau(polar, 23.0, 25.5) * eye
    ring = np.exp(-(((polar - 24.0) / 1.8) ** 2)) * eye
    pupil = plateau(polar, 8.2, 10.0) * eye
    glow = np.exp(-(((polar - 13.5) / 4) ** 2))
    sclera = np.array([0.90, 0.87, 0.85]) - tinted(smoothstep(polar, 32, 70), (0.10, 0.22, 0.22))
    color = np.asarray(IRIS) * (1 + 0.28 * fibres + 0.45 * glow)[:, None]
    mean = np.where(eye[:, None], sclera * (1 - iris[:, None]) + color * iris[:, None], 0)
    mean = mean * (1 - 0.65 * ring[:, None]) * (1 - pupil[:, None]) + tinted(pupil, (0.02, 0.02, 0.02))
    tint = iris * (1 - pupil) * (1 - 0.6 * ring) * (1 + 0.25 * fibres + 0.4 * glow)
    white = eye * (1 - iris)
    return mean, _channels("iris", tint, IRIS_STEP) | {"eye redness": tinted(white, (0.0, -0.04, -0.04))}


def _mouth(template: Template) -> tuple[Array, dict[str, Array]]:
    mean = np.zeros_like(template.vertices)
    teeth_tint = np.zeros_like(mean)
    for name in ("upper lip", "lower lip"):
        where = template.pieces[name]
        depth, along = template.coordinates[where].T
        inward = smoothstep(depth, 0.1, 0.45)[:, None]
        tongue = plateau(np.abs(depth - 0.78), 0.04, 0.16) * plateau(np.abs(along), 0.35, 0.7) * (name == "lower lip")
        mean[where] = np.asarray(LIP) * (0.92 - 0.72 * inward) + tinted(tongue, (0.34, 0.15, 0.15))
    for name in ("upper teeth", "lower teeth"):
        where = template.pieces[name]
        along, down = template.coordinates[where].T
        gap = 1 - 0.30 * np.exp(-((np.sin(along * 1.35 * np.pi * 2.25) / 0.22) ** 2))
        gum = smoothstep(down, 0.30, 0.12)[:, None]
        enamel = np.array([0.90, 0.87, 0.80]) * (gap * (1 - 0.45 * np.abs(along) ** 2))[:, None]
        mean[where] = enamel * (1 - gum) + np.array([0.70, 0.38, 0.36]) * gum
        teeth_tint[where] = np.array([-0.02, -0.04, -0.09]) * (1 - gum)
    return mean, {"yellow teeth": teeth_tint}


def _hair(template: Template) -> tuple[Array, dict[str, Array]]:
    hair = (template.part == PARTS.index("hair")).astype(np.float64)
    around, along = template.coordinates.T
    strand = np.stack([np.abs(np.arctan2(np.sin(around), np.cos(around))), along, 0 * along], axis=-1)
    fine = value_noise(strand, (60, 2, 1), 41) * 0.5 + value_noise(strand, (24, 1.5, 1), 42) * 0.5
    broad = value_noise(strand, (7, 2, 1), 43)
    shade = 1 + 0.24 * fine
    mean = tinted(hair * shade, HAIR)
    modes = _channels("hair", hair * shade, HAIR_STEP)
    modes["hair highlights"] = tinted(hair * (0.6 * broad + 0.6 * fine), (0.10, 0.085, 0.06))
    return mean, modes


def _cloth(template: Template) -> tuple[Array, dict[str, Array]]:
    cloth = (template.part == PARTS.index("cloth")).astype(np.float64)
    weave = 1 + 0.08 * value_noise(template.vertices, (400, 30, 400), 51)
    return tinted(cloth * weave, CLOTH), _channels("cloth", cloth * weave, CLOTH_STEP)


def paint(template: Template) -> tuple[Array, Modes]:
    """Average albedo (V, 3) and its modes."""
    mean, modes = np.zeros_like(template.vertices), {}
    for part in (paint_skin, _eyes, _mouth, _hair, _cloth):
        colors, more = part(template)
        mean, modes = mean + colors, modes | more
    return mean, Modes(tuple(modes), np.stack(list(modes.values())))
