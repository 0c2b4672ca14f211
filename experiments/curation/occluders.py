"""Planted occluders with their true masks: shapes in textures of other pictures, colours, skin, and dark glasses."""

from typing import NamedTuple

import cv2
import numpy as np

SIZE = 64


class Planted(NamedTuple):
    """An aligned face with something before it, and how much of each pixel that hides, 0 to 1."""

    pixels: np.ndarray
    alpha: np.ndarray


def plant(face: np.ndarray, others: list[np.ndarray], generator: np.random.Generator) -> Planted:
    """Something before an aligned RGB face (64 pixels); `others`: pictures that textures are taken from."""
    kind = generator.random()
    if kind < 0.12:
        return _glasses(face, generator)
    alpha = _mask(generator) if kind < 0.22 else _shape(generator)
    alpha = cv2.GaussianBlur(alpha, (0, 0), float(generator.uniform(0.3, 1.0)))
    shadow = cv2.GaussianBlur(np.roll(alpha, generator.integers(-3, 4, 2), (0, 1)), (0, 0), 2)[..., None]
    dark = face * (1 - float(generator.uniform(0, 0.5)) * shadow)
    solid = _texture(face, others, generator) * _roundness(alpha, generator)
    pixels = dark * (1 - alpha[..., None]) + solid * alpha[..., None]
    return Planted(np.clip(pixels, 0, 255).astype(np.uint8), alpha)


def _roundness(alpha: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Darker toward the edges, as fingers and cups are."""
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3) / generator.uniform(1.5, 6)
    return (1 - generator.uniform(0, 0.5) * (1 - np.minimum(depth, 1)))[..., None]


def shade(face: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A soft shadow or light on a face, which hides nothing."""
    alpha = cv2.GaussianBlur(_shape(generator), (0, 0), float(generator.uniform(1, 6)))[..., None]
    gain = 1 + alpha * (generator.uniform(0.35, 1.4) - 1) * generator.uniform(0.85, 1.15, 3)
    return np.clip(face * gain, 0, 255).astype(np.uint8)


def _shape(generator: np.random.Generator) -> np.ndarray:
    kind, canvas = generator.integers(6), np.zeros((SIZE, SIZE), np.float32)
    x, y = (int(value) for value in generator.uniform(4, 60, 2))
    if kind == 0:  # a blob
        noise = cv2.GaussianBlur(
            generator.normal(size=(SIZE, SIZE)).astype(np.float32), (0, 0), generator.uniform(3, 9)
        )
        falloff = ((np.mgrid[:SIZE, :SIZE] - np.array([y, x])[:, None, None]) ** 2).sum(0) / generator.uniform(
            8, 26
        ) ** 2
        return (noise / noise.std() + 1.2 - 1.6 * falloff > 0).astype(np.float32)
    if kind == 1:
        axes = tuple(int(value) for value in generator.uniform(3, 18, 2))
        return cv2.ellipse(canvas, (x, y), axes, float(generator.uniform(0, 180)), 0, 360, 1.0, -1)
    if kind == 2:  # a stick, to the edge
        end = (32 + 60 * np.array([np.cos(a := generator.uniform(0, 2 * np.pi)), np.sin(a)])).astype(int).tolist()
        return cv2.line(canvas, (x, y), end, 1.0, int(generator.uniform(2, 13)))
    if kind == 3:
        corners = generator.uniform(2, 20) * generator.normal(size=(int(generator.integers(3, 7)), 2)) + (x, y)
        return cv2.fillPoly(canvas, [cv2.convexHull(corners.astype(np.int32))], 1.0)
    if kind == 4:  # fingers
        angle, width = generator.uniform(0, 2 * np.pi), generator.uniform(3, 7)
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        for finger in range(int(generator.integers(1, 6))):
            tip = np.array([x, y]) + across * width * 1.15 * finger + along * generator.uniform(-3, 3)
            cv2.line(canvas, tip.astype(int).tolist(), (tip + along * 80).astype(int).tolist(), 1.0, int(width) | 1)
        return canvas
    normal = generator.normal(size=2)  # all beyond a line
    distance = (np.mgrid[:SIZE, :SIZE] - 31.5).transpose(1, 2, 0) @ (normal / np.linalg.norm(normal))
    bent = distance + generator.uniform(0, 4) * np.sin(np.arange(SIZE) / generator.uniform(4, 12))
    return (bent > generator.uniform(4, 26)).astype(np.float32)


def _mask(generator: np.random.Generator) -> np.ndarray:
    """Over nose or mouth and chin."""
    top = generator.uniform(30, 48)
    points = [(2, top + 3), (32, top - generator.uniform(0, 6)), (62, top + 3), (56, 64), (8, 64)]
    return cv2.fillPoly(np.zeros((SIZE, SIZE), np.float32), [np.array(points, np.int32)], 1.0)


def _glasses(face: np.ndarray, generator: np.random.Generator) -> Planted:
    alpha, axes = np.zeros((SIZE, SIZE), np.float32), generator.uniform((7, 5), (14, 12))
    for x in (20, 44):
        if generator.random() < 0.5:
            cv2.ellipse(alpha, ((float(x), 22.0), tuple(2 * axes), 0.0), 1.0, -1)
        else:
            low, high = ((np.array([x, 22]) + sign * axes).astype(int).tolist() for sign in (-1, 1))
            cv2.rectangle(alpha, low, high, 1.0, -1)
    cv2.line(alpha, (24, 20), (40, 20), 1.0, int(generator.integers(1, 3)))
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.5)
    lens = generator.uniform(0, 70) * generator.uniform(0.6, 1.4, 3) + np.zeros((SIZE, SIZE, 3))
    lens += cv2.GaussianBlur(_shape(generator), (0, 0), 2)[..., None] * generator.uniform(0, 110, 3)
    lens += np.linspace(0, generator.uniform(0, 120), SIZE)[:, None, None]  # lighter below
    opaque = alpha[..., None] * generator.uniform(0.65, 1)
    return Planted(np.clip(face * (1 - opaque) + lens * opaque, 0, 255).astype(np.uint8), alpha)


def _texture(face: np.ndarray, others: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    kind = generator.random()
    if kind < 0.2:  # one colour with light
        colour = generator.uniform(0, 255, 3)
        flat = np.ones((SIZE, SIZE, 3)) * colour
    elif kind < 0.45:  # skin of this face, as a hand has it
        y, x = generator.integers(28, 42), generator.choice([14, 44])
        flat = np.ones((SIZE, SIZE, 3)) * face[y : y + 6, x : x + 6].reshape(-1, 3).mean(0)
    else:
        picture = others[int(generator.integers(len(others)))]
        side = int(generator.uniform(0.15, 0.7) * min(picture.shape[:2]))
        y, x = (int(generator.integers(0, length - side)) for length in picture.shape[:2])
        flat = cv2.resize(picture[y : y + side, x : x + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(float)
        flat = np.rot90(flat, int(generator.integers(4)))
    slope = generator.normal(size=2) * 0.25
    light = 1 + (np.mgrid[:SIZE, :SIZE] / SIZE - 0.5).transpose(1, 2, 0) @ slope
    rough = cv2.GaussianBlur(generator.normal(size=(SIZE, SIZE)), (0, 0), generator.uniform(0.6, 3))
    return flat * (light * generator.uniform(0.6, 1.3) + rough * generator.uniform(0, 0.2))[..., None]
