"""Other people planted beside a face, with their true places: heads of other pictures, cut off and out of focus."""

from typing import NamedTuple

import cv2
import numpy as np
from occluders import SIZE, _texture

from facegen.curation.quality.neighbours import WIDTH


class Portrait(NamedTuple):
    """A square picture of WIDTH pixels and its 68 landmarks."""

    pixels: np.ndarray
    landmarks: np.ndarray


def _ellipse(points: np.ndarray, across: float, up: float, down: float) -> np.ndarray:
    """A head as an ellipse about the landmarks, which reach from brows to chin."""
    low, high = points.min(0), points.max(0)
    height, middle = high[1] - low[1], (low[0] + high[0]) / 2
    top, bottom = low[1] - up * height, high[1] + down * height
    box = ((float(middle), float((top + bottom) / 2)), (float(across * (high[0] - low[0])), float(bottom - top)), 0.0)
    return cv2.ellipse(np.zeros((WIDTH, WIDTH), np.float32), box, 1.0, -1)


def _body(points: np.ndarray) -> np.ndarray:
    """Head, neck and shoulders."""
    low, high = points.min(0), points.max(0)
    width, middle = high[0] - low[0], (low[0] + high[0]) / 2
    corners = [(middle - 0.3 * width, high[1]), (middle + 0.3 * width, high[1]), (middle + 1.3 * width, WIDTH + 40)]
    corners.append((middle - 1.3 * width, WIDTH + 40))
    return cv2.fillPoly(_ellipse(points, 1.35, 0.75, 0.05), [np.array(corners, np.int32)], 1.0)


def plant_neighbour(main: Portrait, other: Portrait, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a portrait with another person, and where the other's face is seen, 0 to 1."""
    own = np.ptp(main.landmarks, axis=0).max()
    scale = float(np.exp(generator.uniform(np.log(0.3), np.log(1.25)))) * own / np.ptp(other.landmarks, axis=0).max()
    angle, centre = generator.normal(0, 0.25), main.landmarks.mean(0)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    apart = own * 0.5 * (1 + scale) * generator.uniform(0.95, 1.6)
    toward = generator.choice([0, np.pi]) + generator.normal(0, 0.5)
    place = np.clip(centre + apart * np.array([np.cos(toward), np.sin(toward)]), -4, WIDTH + 4)
    matrix = np.concatenate([turn, (place - turn @ other.landmarks.mean(0))[:, None]], axis=1)
    whole = _body(other.landmarks) if generator.random() < 0.7 else _ellipse(other.landmarks, 1.3, 0.7, 0.1)
    warp = {"dsize": (WIDTH, WIDTH), "flags": cv2.INTER_AREA}
    pixels, alpha, face = (
        cv2.warpAffine(each, matrix, **warp)
        for each in (other.pixels, whole, _ellipse(other.landmarks, 1.0, 0.45, 0.0))
    )
    if generator.random() < 0.5:
        pixels = cv2.GaussianBlur(pixels, (0, 0), generator.uniform(0.4, 2.0))
    pixels = np.clip(pixels * generator.uniform(0.5, 1.3), 0, 255)
    if generator.random() < 0.7:  # behind
        hidden = _body(main.landmarks)
        alpha, face = alpha * (1 - hidden), face * (1 - hidden)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)[..., None]
    return (main.pixels * (1 - alpha) + pixels * alpha).astype(np.uint8), face * alpha[..., 0]


def plant_patch(main: Portrait, others: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Pixels of a portrait with something that is no face beside it."""
    face = cv2.resize(main.pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    texture = cv2.resize(np.clip(_texture(face, others, generator), 0, 255).astype(np.uint8), (WIDTH, WIDTH))
    if generator.random() < 0.5:  # lights and flowers out of focus
        texture = cv2.GaussianBlur(
            texture * generator.uniform((0.7, 0.4, 0.3), (1.3, 1, 1)), (0, 0), generator.uniform(1, 6)
        )
    centre = tuple(int(value) for value in generator.uniform(0, WIDTH, 2))
    axes = tuple(int(value) for value in generator.uniform(5, 25, 2))
    alpha = cv2.ellipse(
        np.zeros((WIDTH, WIDTH), np.float32), centre, axes, float(generator.uniform(0, 180)), 0, 360, 1.0, -1
    )
    alpha = cv2.GaussianBlur(alpha * (1 - _body(main.landmarks)), (0, 0), generator.uniform(0.5, 4))[..., None]
    return np.clip(main.pixels * (1 - alpha) + texture * alpha, 0, 255).astype(np.uint8)
