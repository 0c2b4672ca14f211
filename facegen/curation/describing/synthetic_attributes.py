"""Which of CelebA's attributes a synthetic face has, by the numbers that it was rendered from.

Only what the renderer draws is judged, with fixed thresholds on its own coefficients (of identity: standard deviations
among faces; of expression: shares of the full movement; of colours: steps of albedo), chosen by looking at faces on
both sides of each. CelebA's raters are not imitated. Never known: sex, age, attractiveness. Never drawn, so absent:
glasses, jewellery, hats, neckties, goatees and blur.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facegen.morphable.procedural.paint import HAIR, HAIR_STEP

Modes = Mapping[str, NDArray[np.float64]]  # by name, one number for each face
Judgement = NDArray[np.bool_]

GROUPS = ("identity", "expression", "albedo")  # of coefficients that are read
NEVER_DRAWN = (
    *("Eyeglasses", "Wearing_Earrings", "Wearing_Hat", "Wearing_Necklace", "Wearing_Necktie"),
    *("Goatee", "Blurry"),
)
_BALD_TOP, _RECEDING_TOP, _SHAVED = 0.85, 0.35, 0.7
_FRINGE, _CURLS, _STRAIGHT_LENGTH = 0.7, 0.8, 0.6
_BLACK, _GRAY, _BLOND = 0.09, 0.35, 0.42  # mean of the hair's red, green and blue
_COLORLESS, _RED_TO_GREEN = 0.12, 1.8  # (red - blue) / red of gray hair; beyond the other, hair is red: no attribute
_HAIRY = 0.12  # of the modes beard and moustache
_SHADOW = 0.45  # of the mode beard: below it, stubble


def synthetic_attributes(
    coefficients: Mapping[str, NDArray], names: Mapping[str, Sequence[str]]
) -> dict[str, Judgement]:
    """CelebA's attributes that are known of N faces, each (N,).

    `coefficients`: (N, modes) of each of GROUPS; `names`: of their modes, as the manifest of a synthetic source has
    them. Raises ValueError where a mode is missing.
    """
    modes = {
        f"{group} {name}": np.asarray(coefficients[group], np.float64)[:, place]
        for group in GROUPS
        for place, name in enumerate(names[group])
    }
    try:
        found = {attribute: judge(modes) for attribute, judge in _JUDGEMENTS.items()}
    except KeyError as error:
        raise ValueError(
            f"attributes: the faces have no mode {error}; expected those of the procedural head"
        ) from error
    return found | {attribute: np.zeros(len(found["Bald"]), bool) for attribute in NEVER_DRAWN}


def _bald(modes: Modes) -> Judgement:
    return (modes["identity hair bald top"] > _BALD_TOP) & (modes["identity hair cropped"] > _SHAVED)


def _receding(modes: Modes) -> Judgement:
    return (modes["identity hair bald top"] > _RECEDING_TOP) & ~_bald(modes)


def _bangs(modes: Modes) -> Judgement:
    return (modes["identity hair fringe"] > _FRINGE) & ~_bald(modes)


def _wavy(modes: Modes) -> Judgement:
    return (modes["identity hair curls"] > _CURLS) & ~_bald(modes)


def _straight(modes: Modes) -> Judgement:
    long = modes["identity hair length"] > _STRAIGHT_LENGTH
    return long & (modes["identity hair curls"] < _CURLS / 2) & (modes["identity hair tousled"] < _CURLS / 2)


def hair_color(modes: Modes) -> NDArray[np.float64]:
    """Red, green and blue of the hair, (N, 3), before highlights."""
    steps = np.stack([modes[f"albedo hair {name}"] for name in ("red", "green", "blue")], axis=1)
    return np.asarray(HAIR) + HAIR_STEP * steps


def _hair(modes: Modes) -> dict[str, Judgement]:
    """One colour at most; none of bald and of red hair."""
    red, green, blue = hair_color(modes).T
    mean = (red + green + blue) / 3
    black = mean < _BLACK
    gray = ~black & ((red - blue) / np.maximum(red, 1e-6) < _COLORLESS) & (mean > _GRAY)
    natural = ~black & ~gray & (red >= green) & (green >= blue) & (red / np.maximum(green, 1e-6) < _RED_TO_GREEN)
    colors = {"Black": black, "Gray": gray, "Blond": natural & (mean > _BLOND), "Brown": natural & (mean <= _BLOND)}
    return {f"{name}_Hair": color & ~_bald(modes) for name, color in colors.items()}


def _above(limit: float, *terms: str) -> Callable[[Modes], Judgement]:
    """Whether a sum of modes, those with a minus negated, is above a limit in its own standard deviations."""

    def judge(modes: Modes) -> Judgement:
        total = sum(modes[term.removeprefix("-")] * (-1 if term.startswith("-") else 1) for term in terms)
        return np.asarray(total / np.sqrt(len(terms)) > limit)

    return judge


def _color(name: str) -> Callable[[Modes], Judgement]:
    return lambda modes: _hair(modes)[name]


def _no_beard(modes: Modes) -> Judgement:
    return (modes["albedo beard"] < _HAIRY) & (modes["albedo moustache"] < _HAIRY)


def _shadow(modes: Modes) -> Judgement:
    return (modes["albedo beard"] >= _HAIRY) & (modes["albedo beard"] < _SHADOW)


_JUDGEMENTS: dict[str, Callable[[Modes], Judgement]] = {
    "Bald": _bald,
    "Receding_Hairline": _receding,
    "Bangs": _bangs,
    "Wavy_Hair": _wavy,
    "Straight_Hair": _straight,
    **{name: _color(name) for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")},
    "No_Beard": _no_beard,
    "5_o_Clock_Shadow": _shadow,
    "Mustache": _above(_SHADOW, "albedo moustache"),
    "Smiling": lambda modes: modes["expression smile"] - modes["expression frown"] > 0.4,
    "Mouth_Slightly_Open": _above(0.17, "expression jaw open"),
    "Narrow_Eyes": lambda modes: modes["identity narrow lids"] + modes["expression squint"] > 1.2,
    "Big_Nose": _above(1.0, "identity nose width", "identity nose forward", "identity nose tip size"),
    "Pointy_Nose": _above(1.0, "identity nose forward", "-identity nose width", "-identity nose tip size"),
    "Big_Lips": _above(0.9, "identity upper lip", "identity lower lip"),
    "High_Cheekbones": _above(1.0, "identity cheek bones"),
    "Oval_Face": _above(0.9, "identity face length", "-identity jaw width", "-identity jaw corner"),
    "Chubby": _above(1.1, "identity fat"),
    "Bags_Under_Eyes": _above(0.9, "albedo tired eyes"),
    "Rosy_Cheeks": _above(0.9, "albedo blush"),
    "Pale_Skin": _above(0.55, "albedo skin tone"),
}
