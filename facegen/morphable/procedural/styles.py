"""What people look like, in numbers: hair styles and colours, moods, and how often each occurs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Style(NamedTuple):
    """A hair style: its share, and the mean and standard deviation of modes that differ from the usual."""

    share: float
    modes: dict[str, tuple[float, float]]


class Mood(NamedTuple):
    """An expression: its probability, and the coefficients of its modes at full strength."""

    share: float
    modes: dict[str, float]


class Palette(NamedTuple):
    """Colours (K, 3) and their probabilities for the palest and the darkest skin."""

    colors: NDArray[np.float64]
    pale: NDArray[np.float64]
    dark: NDArray[np.float64]


HAIR = {
    "short": Style(0.22, {"cropped": (0.2, 0.2), "top volume": (0.6, 0.5), "side parting": (0, 0.8)}),
    "tousled": Style(
        0.10, {"tousled": (1.0, 0.3), "top volume": (0.8, 0.5), "fringe": (0.3, 0.3), "side parting": (0, 1)}
    ),
    "cropped": Style(0.12, {"cropped": (0.95, 0.05), "top volume": (0.0, 0.1)}),
    "receding": Style(0.05, {"cropped": (0.5, 0.2), "bald top": (0.7, 0.25)}),
    "bald": Style(0.04, {"cropped": (1.5, 0.05), "bald top": (1, 0), "top volume": (0, 0), "side volume": (0, 0)}),
    "curly": Style(
        0.08, {"curls": (1.3, 0.3), "top volume": (1, 0.4), "side volume": (0.9, 0.4), "back volume": (0.8, 0.3)}
    ),
    "fringe": Style(0.10, {"fringe": (1.0, 0.05), "side volume": (0.5, 0.3), "length": (0.35, 0.25)}),
    "swept": Style(
        0.08, {"fringe": (0.5, 0.05), "swept fringe": (0, 0.9), "side parting": (0, 1), "length": (0.3, 0.4)}
    ),
    "long": Style(
        0.20,
        {
            "length": (0.95, 0.12),
            "fringe": (0.2, 0.25),
            "swept fringe": (0.0, 0.5),
            "top volume": (0.3, 0.3),
            "side parting": (0.0, 1.0),
            "side volume": (0.4, 0.3),
        },
    ),
    "long with fringe": Style(0.08, {"length": (0.9, 0.15), "fringe": (1.0, 0.05), "side volume": (0.4, 0.3)}),
}
RARE_HAIR_MODES = {"bald top", "fringe", "length", "curls", "cropped", "swept fringe"}  # 0 unless a style says more
BEARDLESS = {"fringe", "swept", "long", "long with fringe"}
SCALP_SHADE = {"cropped": 0.9, "short": 0.6, "bald": 0.08}  # how dark the skin is between the hairs

HAIR_COLORS = Palette(
    np.array(
        [(0.075, 0.06, 0.055), (0.17, 0.11, 0.08), (0.30, 0.19, 0.12), (0.44, 0.28, 0.16), (0.68, 0.52, 0.33),
         (0.80, 0.68, 0.47), (0.43, 0.22, 0.13), (0.60, 0.59, 0.58), (0.86, 0.85, 0.84), (0.45, 0.16, 0.30)]
    ),
    np.array([0.12, 0.20, 0.19, 0.12, 0.12, 0.07, 0.07, 0.06, 0.03, 0.02]),
    np.array([0.62, 0.22, 0.06, 0.01, 0.01, 0.0, 0.01, 0.05, 0.01, 0.01]),
)  # fmt: skip
IRIS_COLORS = Palette(
    np.array([(0.20, 0.12, 0.07), (0.36, 0.23, 0.12), (0.34, 0.36, 0.22), (0.36, 0.47, 0.55), (0.42, 0.46, 0.47)]),
    np.array([0.22, 0.26, 0.16, 0.24, 0.12]),
    np.array([0.80, 0.18, 0.01, 0.0, 0.01]),
)
ONE_SIDED_COLORS = ("blush", "wrinkles", "tired eyes", "lip darkness", "eye redness", "yellow teeth")

# expressions with two directions, or none of their own, and their standard deviations
SIGNED_EXPRESSIONS = {"smirk": 0.15, "jaw sideways": 0.15, "gaze sideways": 0.45, "gaze up": 0.25}
SIGNED_EXPRESSIONS |= {"jaw forward": 0.0, "wink": 0.0, "lips in": 0.0}
MOODS = {
    "neutral": Mood(0.25, {}),
    "smile": Mood(0.38, {"smile": 1.0, "squint": 0.15}),
    "laugh": Mood(0.16, {"smile": 1.0, "grin": 0.8, "jaw open": 0.35, "squint": 0.3}),
    "talk": Mood(0.09, {"jaw open": 0.4, "pucker": 0.25, "lower lip down": 0.4}),
    "sad": Mood(0.04, {"frown": 1.0, "inner brows up": 0.7}),
    "surprise": Mood(0.04, {"jaw open": 0.7, "inner brows up": 1.0, "outer brows up": 1.0, "wide eyes": 0.9}),
    "angry": Mood(0.04, {"brows down": 1.0, "frown": 0.5, "nose wrinkled": 0.6, "squint": 0.4}),
}
