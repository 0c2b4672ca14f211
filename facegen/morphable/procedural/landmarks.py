"""The 68 iBUG landmarks as vertices of the skin, in the usual order: image left to right, then around each feature."""

from collections.abc import Sequence

import numpy as np

from facegen.morphable.procedural.face import FaceGrid, Slit
from facegen.morphable.procedural.mesh import Index
from facegen.morphable.procedural.template import Template

Targets = Sequence[tuple[float, float, float]]

# x > 0 half, from the ear to the middle of the chin; the nose from its root; the upper edge of the brow from outside
_JAW = [
    (0.190, 0.060, 0.000), (0.188, 0.012, 0.004), (0.180, -0.038, 0.010), (0.168, -0.090, 0.018),
    (0.148, -0.136, 0.048), (0.122, -0.172, 0.090), (0.088, -0.196, 0.136),
    (0.048, -0.211, 0.176), (0.000, -0.216, 0.196),
]  # fmt: skip
_BROW = [(0.146, 0.136, 0.165), (0.124, 0.149, 0.19), (0.098, 0.154, 0.21), (0.070, 0.151, 0.225), (0.043, 0.142, 0.24)]
_BRIDGE = [(0, 0.088, 0.25), (0, 0.056, 0.27), (0, 0.025, 0.285), (0, -0.005, 0.30)]
_NOSTRILS = [(0.031, -0.030, 0.250), (0.016, -0.035, 0.268), (0, -0.038, 0.270)]
_UPPER_LIP = [(0.038, -0.080, 0.255), (0.0145, -0.0715, 0.268), (0, -0.0745, 0.270)]
_LOWER_LIP = [(0.038, -0.110, 0.250), (0.019, -0.1145, 0.262), (0, -0.1155, 0.264)]


def mirror_vertex(grid: FaceGrid, vertex: int) -> int:
    """The skin vertex opposite to one that is not on a slit's lower edge."""
    row, column = divmod(int(vertex), grid.numbers.shape[1])
    return int(grid.numbers[row, _opposite(grid, column)])


def _opposite(grid: FaceGrid, column: int) -> int:
    """Columns run from one side of the back to the other; the last one is the back's middle and its own mirror."""
    last = grid.numbers.shape[1] - 1
    return last if column == last else last - 1 - column


def _nearest(template: Template, targets: Targets) -> list[int]:
    candidates = template.vertices[: template.grid.numbers.size]
    return [int(((candidates - np.asarray(target)) ** 2).sum(-1).argmin()) for target in targets]


def _both(template: Template, targets: Targets) -> tuple[list[int], list[int]]:
    """Vertices near targets at positive x, and their mirrors."""
    found = _nearest(template, targets)
    return found, [mirror_vertex(template.grid, vertex) for vertex in found]


def _at(edge: Index, *fractions: float) -> list[int]:
    return [int(edge[round(fraction * (len(edge) - 1))]) for fraction in fractions]


def _eye(slit: Slit) -> list[int]:
    """From the corner at the image's left over the upper lid to the other corner, and back."""
    upper, lower = _at(slit.upper, 0, 0.32, 0.68, 1), _at(slit.lower, 0.68, 0.32)
    return [*upper, *lower]


def _mouth(template: Template) -> list[int]:
    slit = template.grid.mouth
    left, right = int(slit.upper[0]), int(slit.upper[-1])
    (upper, upper_left), (lower, lower_left) = _both(template, _UPPER_LIP), _both(template, _LOWER_LIP)
    outer = [left, *upper_left, upper[1], upper[0], right, *lower, lower_left[1], lower_left[0]]
    inner = [*_at(slit.upper, 0.07, 0.32, 0.5, 0.68, 0.93), *_at(slit.lower, 0.68, 0.5, 0.32)]
    return [*outer, *inner]


def landmark_vertices(template: Template) -> Index:
    """Vertex numbers (68,) of the landmarks."""
    (jaw, jaw_left), (brow, brow_left) = _both(template, _JAW), _both(template, _BROW)
    nose, nose_left = _both(template, _NOSTRILS)
    middle = jaw[-1]
    found = [*jaw_left[:-1], middle, *jaw[-2::-1], *brow_left, *brow[::-1], *_nearest(template, _BRIDGE)]
    found += [*nose_left[:-1], nose[-1], *nose[-2::-1]]
    right_eye, left_eye = template.grid.eyes
    return np.array([*found, *_eye(right_eye), *_eye(left_eye), *_mouth(template)])


def landmark_order_when_mirrored() -> Index:
    """Permutation (68,) that puts the landmarks of a flipped picture into the usual order."""
    order = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
    order += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    order += [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
    return np.array(order)
