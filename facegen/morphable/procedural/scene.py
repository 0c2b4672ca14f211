"""Drawing random light and backgrounds."""

import numpy as np
import torch

from facegen.geometry.cameras import split_label
from facegen.morphable import spherical_harmonics
from facegen.morphable.procedural.model import Floats


def _direction(azimuth_degrees: float, elevation_degrees: float) -> np.ndarray:
    """Unit vector in a frame with x right, y up and z towards the camera."""
    a, e = np.radians(azimuth_degrees), np.radians(elevation_degrees)
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def _tint(rng: np.random.Generator) -> np.ndarray:
    """A slightly warm or cold white."""
    warmth = rng.normal(0.015, 0.04)
    return np.array([1 + warmth, 1 + 0.2 * warmth, 1 - warmth])


def random_light(rng: np.random.Generator, label: Floats) -> Floats:
    """Coefficients (9, 3) of ambient light, a main lamp somewhere around the camera, and a weaker one anywhere.

    Scaled so that a surface facing the camera reflects between 0.8 and 1 times its albedo.
    """
    axes = split_label(torch.from_numpy(label[None]))[0][0, :3, :3].numpy() * [1, -1, -1]
    key = axes @ _direction(rng.normal(0, 38), rng.normal(28, 18))
    fill = axes @ _direction(rng.uniform(-180, 180), rng.uniform(-20, 60))
    lamps = [(key, rng.uniform(0.25, 0.8) * _tint(rng)), (fill, rng.uniform(0.0, 0.35) * _tint(rng))]
    light = spherical_harmonics.ambient(torch.from_numpy(rng.uniform(0.4, 0.7) * _tint(rng)))
    for direction, color in lamps:
        light = light + spherical_harmonics.directional(torch.from_numpy(direction), torch.from_numpy(color))
    facing = spherical_harmonics.basis(torch.from_numpy(np.array(axes[:, 2]))) @ light
    return (light * (rng.uniform(0.8, 1.0) / facing.mean())).numpy().astype(np.float32)


def _upsampled(grid: np.ndarray, size: int) -> np.ndarray:
    """Blurred enlargement of a (K, L, 3) grid to (size, size, 3)."""

    def weights(count: int) -> np.ndarray:
        position = (np.arange(size)[:, None] + 0.5) / size * count - 0.5
        near = np.exp(-(((position - np.arange(count)) / 0.75) ** 2))
        return near / near.sum(axis=1, keepdims=True)

    return (weights(grid.shape[0]) @ grid.transpose(2, 0, 1) @ weights(grid.shape[1]).T).transpose(1, 2, 0)


def random_background(rng: np.random.Generator, size: int) -> Floats:
    """A blurred room, wall or garden (size, size, 3) in display RGB."""
    base = rng.uniform(0.08, 0.75) * (1 + rng.normal(0, 0.13, 3))
    kind = rng.choice(4)
    if kind == 0:  # a wall in uneven light
        field = base * (1 + rng.normal(0, 0.15, (2, 2, 1))) * np.ones(3)
    elif kind == 1:  # things far out of focus
        field = base * (1 + rng.normal(0, 0.4, (4, 4, 1)) + rng.normal(0, 0.08, (4, 4, 3)))
    elif kind == 2:  # leaves or a crowd
        field = base * (1 + rng.normal(0, 0.4, (8, 8, 1)) + rng.normal(0, 0.1, (8, 8, 3)))
    else:  # furniture: upright stripes
        field = base * (1 + rng.normal(0, 0.35, (1, 6, 1)) + rng.normal(0, 0.07, (6, 6, 3)))
    return np.clip(_upsampled(field, size), 0, 1).astype(np.float32)
