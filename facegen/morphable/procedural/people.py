"""Drawing random people: coefficients of a plausible head, from nothing but a random generator."""

from typing import NamedTuple

import numpy as np

from facegen.morphable.procedural import styles
from facegen.morphable.procedural.identity import HAIR_MODES
from facegen.morphable.procedural.model import Floats, ProceduralHead
from facegen.morphable.procedural.paint import CLOTH, CLOTH_STEP, HAIR, HAIR_STEP, IRIS, IRIS_STEP
from facegen.morphable.procedural.paint_skin import SKIN

_LIMIT = 2.0  # standard deviations


class Person(NamedTuple):
    """Coefficients of one head, in the order of the model's modes."""

    identity: Floats
    expression: Floats
    albedo: Floats


def _normal(rng: np.random.Generator, mean: float = 0.0, deviation: float = 1.0) -> float:
    return mean + deviation * float(np.clip(rng.standard_normal(), -_LIMIT, _LIMIT))


def _pick(rng: np.random.Generator, palette: styles.Palette, share: float) -> np.ndarray:
    """A colour of a palette, between its pale (0) and dark (1) probabilities, and slightly off."""
    weights = (1 - share) * palette.pale + share * palette.dark
    color = palette.colors[rng.choice(len(weights), p=weights / weights.sum())]
    return np.clip(color * (1 + 0.12 * rng.standard_normal()) * (1 + 0.05 * rng.standard_normal(3)), 0.03, 0.95)


def _hair_style(rng: np.random.Generator) -> tuple[str, dict[str, float]]:
    names = list(styles.HAIR)
    shares = np.array([styles.HAIR[name].share for name in names])
    name = names[rng.choice(len(names), p=shares / shares.sum())]
    values = {}
    for mode in HAIR_MODES:
        short = mode.removeprefix("hair ")
        usual = (0.0, 0.0) if short in styles.RARE_HAIR_MODES else (0.15, 0.25)
        values[mode] = _normal(rng, *styles.HAIR[name].modes.get(short, usual))
    values["hair side parting"] *= 1 - min(max(values["hair cropped"], 0.0), 1.0)  # short hair has none
    if values["hair length"] < 0.3:  # a few strands would hang in the air
        values["hair length"] = 0.0
    return name, values


def _expression(rng: np.random.Generator, names: tuple[str, ...]) -> dict[str, float]:
    """A mostly friendly mood, with some movement everywhere."""
    values = {name: abs(_normal(rng, 0.0, 0.10)) for name in names}
    for name, deviation in styles.SIGNED_EXPRESSIONS.items():
        values[name] = _normal(rng, 0.0, deviation)
    values["blink"] = 0.9 if rng.random() < 0.02 else abs(_normal(rng, 0, 0.08))
    moods = list(styles.MOODS)
    mood = styles.MOODS[moods[rng.choice(len(moods), p=[styles.MOODS[name].share for name in moods])]]
    strong = float(rng.uniform(0.5, 1.0))
    for name, value in mood.modes.items():
        values[name] += strong * value
    values["blink"] = min(values["blink"], 1 - 0.5 * values["squint"])
    return values


def _skin(rng: np.random.Generator, share: float) -> dict[str, float]:
    """Complexion between the palest (0) and the darkest (1)."""
    return {
        "skin tone": 0.6 - 2.9 * share + _normal(rng, 0, 0.12),
        "skin redness": _normal(rng, 0.2 * (1 - share), 0.7),
        "freckles": max(_normal(rng, -0.6, 1.0), 0.0) * (1 - share),
        "eye shadow": max(_normal(rng, -0.6, 0.8), 0.0),
        **{name: abs(_normal(rng, 0.0, 0.6)) for name in styles.ONE_SIDED_COLORS},
    }


def _grown(rng: np.random.Generator, style: str, skin: float, hair: float) -> dict[str, float]:
    """Brows, beard and scalp: the difference between the brightness of skin and hair in units of their modes."""
    depth = (skin - 0.9 * hair) * 0.85
    amount = float(np.clip(depth / 0.34, 0, 1.3) * rng.uniform(0.15, 1.0))
    bearded = amount * (rng.random() < 0.4) * (style not in styles.BEARDLESS)
    return {
        "brow darkness": float(np.clip((depth - 0.33) / 0.08, -3.2, 3)) + _normal(rng, 0, 0.4),
        "hair highlights": abs(_normal(rng, 0.3, 0.5)) * (0.3 + hair),
        "shaved scalp": float(np.clip(depth / 0.13, 0, 3)) * styles.SCALP_SHADE.get(style, 0.25),
        "beard": bearded * (rng.random() < 0.8),
        "moustache": bearded * (rng.random() < 0.8),
    }


def _albedo(rng: np.random.Generator, names: tuple[str, ...], style: str) -> dict[str, float]:
    values = {name: _normal(rng, 0.0, 0.6) for name in names}
    share = float(rng.random()) ** 2
    values |= _skin(rng, share)
    hair, iris = _pick(rng, styles.HAIR_COLORS, share), _pick(rng, styles.IRIS_COLORS, share)
    cloth = rng.uniform(0.05, 0.9) * rng.uniform(0.5, 1.0, 3)
    parts = {"hair": (hair, HAIR, HAIR_STEP), "iris": (iris, IRIS, IRIS_STEP), "cloth": (cloth, CLOTH, CLOTH_STEP)}
    for part, (color, average, step) in parts.items():
        for axis, name in enumerate(("red", "green", "blue")):
            values[f"{part} {name}"] = (color[axis] - average[axis]) / step
    skin = float(np.mean(SKIN)) + 0.147 * values["skin tone"]
    return values | _grown(rng, style, skin, float(hair.mean()))


def random_person(head: ProceduralHead, rng: np.random.Generator) -> Person:
    """Draw identity, hair, expression and colours."""
    style, hair = _hair_style(rng)
    identity = {name: _normal(rng, 0.0, 0.85) for name in head.identity.names} | hair
    expression = _expression(rng, head.expression.names)
    albedo = _albedo(rng, head.albedo.names, style)
    groups = ((head.identity, identity), (head.expression, expression), (head.albedo, albedo))
    return Person(*(np.array([values[name] for name in modes.names], np.float32) for modes, values in groups))
