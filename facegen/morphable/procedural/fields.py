"""Smooth scalar functions that shapes, movements and colours of the procedural head are made of.

Everything here works on numpy arrays and is mirrored exactly by mirroring its input, so that the head stays symmetric.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


Point = Array | Sequence[float]


def vector(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Array:
    """(V, 3) vectors from components, which may be numbers."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1)


def tinted(weight: Array, rgb: Point) -> Array:
    """(V, 3) colours: a colour times (V,) weights."""
    return weight[:, None] * np.asarray(rgb)


def smoothstep(x: ArrayLike, low: float | Array = 0.0, high: float | Array = 1.0) -> Array:
    """Rise from 0 at `low` to 1 at `high` with flat ends; `low` above `high` makes it fall."""
    t = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(points: Array, center: Point, radii: Point) -> Array:
    """Gaussian of unit height over (V, 3) points with one standard deviation per axis."""
    return np.exp(-0.5 * (((points - np.asarray(center)) / np.asarray(radii)) ** 2).sum(-1))


def mirrored_bump(points: Array, center: Point, radii: Point) -> Array:
    """`bump` at `center` and at its mirror image."""
    x, y, z = center
    return bump(points, (x, y, z), radii) + bump(points, (-x, y, z), radii)


def plateau(distance: ArrayLike, inner: float, outer: float) -> Array:
    """1 up to `inner`, 0 from `outer` on."""
    return smoothstep(distance, outer, inner)


def side(x: ArrayLike, width: float = 0.02) -> Array:
    """-1 on the side of negative x, 1 on the other, smooth across the middle."""
    return np.tanh(np.asarray(x, np.float64) / width)


def value_noise(points: Array, frequency: float | Point, seed: int) -> Array:
    """Smooth noise in [-1, 1] over (V, 3) points, symmetric in x; `frequency` is cells per unit, per axis."""
    table = np.random.default_rng(seed).uniform(-1, 1, 4096)
    scaled = np.abs(points * np.array([1.0, 0, 0])) + points * np.array([0, 1.0, 1.0])
    scaled = scaled * np.asarray(frequency) + 64
    cell = np.floor(scaled).astype(np.int64)
    t = scaled - cell
    t = t * t * (3 - 2 * t)
    total = np.zeros(len(points))
    for corner in range(8):
        offset = np.array([corner & 1, corner >> 1 & 1, corner >> 2])
        index = (cell + offset) @ np.array([1, 157, 2467])
        total += table[(index * 2654435761 >> 7) % 4096] * np.where(offset, t, 1 - t).prod(-1)
    return total


def smooth_min(a: Array, b: Array, k: float) -> Array:
    """Union of two distance fields, rounded over a length `k`."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k * 0.25


def smooth_max(a: Array, b: Array, k: float) -> Array:
    """Intersection of two distance fields, rounded over a length `k`."""
    return -smooth_min(-a, -b, k)


def sphere(points: Array, center: Point, radius: float) -> Array:
    """Distance to a sphere."""
    return np.linalg.norm(points - np.asarray(center), axis=-1) - radius


def ellipsoid(points: Array, center: Point, radii: Point) -> Array:
    """Distance to an ellipsoid, exact near its surface (first order)."""
    scaled = (points - np.asarray(center)) / np.asarray(radii)
    length = np.linalg.norm(scaled, axis=-1)
    gradient = np.linalg.norm(scaled / np.asarray(radii), axis=-1)
    return length * (length - 1) / np.maximum(gradient, 1e-9)


def capsule(points: Array, a: Point, b: Point, radius_a: float, radius_b: float) -> Array:
    """Distance to a segment thickened from `radius_a` to `radius_b`."""
    start, along = np.asarray(a), np.asarray(b) - np.asarray(a)
    t = np.clip((points - start) @ along / (along @ along), 0, 1)
    nearest = start + t[..., None] * along
    return np.linalg.norm(points - nearest, axis=-1) - (radius_a + (radius_b - radius_a) * t)
