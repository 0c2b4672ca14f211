"""How much of the sky each vertex of the average head sees: soft shadows of sockets, nostrils, chin and ears."""

import numpy as np

from facegen.morphable.procedural.fields import Array
from facegen.morphable.procedural.mesh import Index
from facegen.rendering.rasterizer import rasterize_numpy


def _directions(count: int) -> Array:
    """Points spread evenly over the sphere, in mirrored pairs."""
    k = np.arange(count // 2) + 0.5
    y, angle = 1 - 2 * k / (count // 2), np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - y * y)
    points = np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], axis=-1)
    return np.concatenate([points, points * [-1, 1, 1]])


def _frame(direction: Array) -> Array:
    """Rows: right, up and towards the eye, for an eye in `direction`."""
    helper = np.array([0.0, 1, 0]) if abs(direction[1]) < 0.9 else np.array([0.0, 0, 1])
    right = np.cross(helper, direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction])


def ambient_occlusion(vertices: Array, normals: Array, triangles: Index, count: int = 96, size: int = 320) -> Array:
    """Cosine-weighted share (V,) of the sky that every vertex sees, from orthographic depth maps; 1 is all of it."""
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    scale, bias = 0.62, 0.006
    for direction in _directions(count):
        ours = vertices @ _frame(direction).T / scale
        ours[:, 2] *= -1
        clip = np.concatenate([ours, np.ones((len(ours), 1))], axis=1)
        _, _, depth = rasterize_numpy(clip, triangles.astype(np.int32), (size, size))
        column = np.clip(((ours[:, 0] + 1) * 0.5 * size).astype(int), 0, size - 1)
        row = np.clip(((1 - ours[:, 1]) * 0.5 * size).astype(int), 0, size - 1)
        cosine = np.maximum(normals @ direction, 0)
        seen += cosine * (ours[:, 2] <= depth[row, column] + bias / scale)
        total += cosine
    return _smoothed(seen / total, triangles, 3)


def _smoothed(values: Array, triangles: Index, rounds: int) -> Array:
    """Average over neighbours, a few times."""
    for _ in range(rounds):
        mean = values[triangles].mean(axis=1)
        total = np.bincount(triangles.ravel(), np.repeat(mean, 3), minlength=len(values))
        values = total / np.maximum(np.bincount(triangles.ravel(), minlength=len(values)), 1)
    return values
