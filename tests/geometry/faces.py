"""Landmarks and pictures of faces, made up, for tests of the alignment."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image


def face_landmarks(
    eye_distance: float = 40.0, at: tuple[float, float] = (150.0, 140.0), roll_degrees: float = 5.0
) -> Float[np.ndarray, "68 2"]:
    """68 points, x and y down, of a frontal face turned in the picture's plane, the middle of its eyes at `at`."""
    jaw = _arc(17, (0.0, 0.35), (1.15, 1.3), 180, 0)
    brows = np.concatenate([_arc(5, (side * 0.55, -0.15), (0.35, 0.2), 180, 360) for side in (-1, 1)])
    ridge = np.stack([np.full(4, 0.02), np.linspace(0.0, 0.65, 4)], axis=1)
    nostrils = np.stack([np.linspace(-0.25, 0.25, 5), [0.75, 0.8, 0.83, 0.8, 0.75]], axis=1)
    eyes = np.concatenate([_arc(6, (side * 0.5, 0.0), (0.2, 0.08), 180, 480) for side in (-1, 1)])
    outer, inner = _arc(12, (0.0, 1.1), (0.4, 0.15), 180, 510), _arc(8, (0.0, 1.1), (0.3, 0.05), 180, 495)
    points = np.concatenate([jaw, brows, ridge, nostrils, eyes, outer, inner])
    sin, cos = np.sin(np.deg2rad(roll_degrees)), np.cos(np.deg2rad(roll_degrees))
    return points @ np.array([[cos, sin], [-sin, cos]]) * eye_distance + at


def _arc(
    count: int, centre: tuple[float, float], radii: tuple[float, float], start: float, stop: float
) -> Float[np.ndarray, "count 2"]:
    angles = np.deg2rad(np.linspace(start, stop, count))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + centre


def photograph(width: int, height: int, seed: int = 0, detail: int = 12) -> UInt8[np.ndarray, "height width 3"]:
    """A smooth random picture: the larger `detail`, the more pixels a blotch has."""
    blotches = np.random.default_rng(seed).integers(0, 256, (height // detail + 2, width // detail + 2, 3), np.uint8)
    return np.asarray(Image.fromarray(blotches).resize((width, height), Image.Resampling.BICUBIC))
