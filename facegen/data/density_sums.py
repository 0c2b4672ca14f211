"""Sums of round Gaussian kernels of width 1 over many pairs of points: pair by pair, and by way of a grid.

In one dimension, the kernel between a query q and a point p is

    exp(-(q-p)²/2) = sqrt(2/pi) * integral over u of exp(-(q-u)²) exp(-(p-u)²),

and the integrand is exp(-(q-p)²/2) times a Gaussian around (q+p)/2 of variance 1/4. By Poisson's summation formula a
sum over nodes u at distance h differs from the integral by the relative error 2 exp(-pi²/(2 h²)), for every pair alike.
So points are spread over the nodes once, queries collect from the nodes, and as all terms are positive, the relative
error of a sum is that of a pair:

1. With h = 0.4 it is 8.1e-14 in each of the two dimensions.
2. Only nodes within W = 7.2 of a point or query count. A term further off is at most exp(-W²) times the other factor,
   whose sum over nodes is sqrt(pi)/h: with two dimensions and sides, each pair loses less than 6 exp(-W²) = 1.9e-22.
   Mean kernels below 1e-9, of which that could be more than 2e-13, are summed again pair by pair.
3. There, points so far off that all of them together add less than 1e-13 of the sum are left out.

Together the relative error is below 5e-13, besides rounding, which direct sums suffer as well.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

Points = Float[np.ndarray, "point 2"]
Sums = Float[np.ndarray, " place"]
Nodes = tuple[slice, slice]

_STEP = 0.4  # between nodes, in kernel widths
_REACH = 18  # nodes that count on each side of a tile
_TILE = 10  # nodes along a tile, whose points are treated together
_MARGIN = 20  # nodes around the points within which queries use the grid
_DOUBTFUL = 1e-9  # mean kernels below this are summed again
_NEGLIGIBLE = 1e-13  # what all points that are left out may add, relative
_BORDER = _MARGIN + _REACH + _TILE
_MOST_NODES = 2**25
_PAIRS_AT_ONCE = 2**18
_POINTS_AT_ONCE = 2**14


def pair_sums(places: Points, points: Points) -> Sums:
    """Sum of the kernels of all points at each place, pair by pair."""
    sums, step = np.empty(len(places)), max(1, _PAIRS_AT_ONCE // len(points))
    for start in range(0, len(places), step):
        part = slice(start, start + step)
        first, second = (places[part, axis, None] - points[:, axis] for axis in (0, 1))
        sums[part] = np.exp(-0.5 * (first * first + second * second)).sum(1)
    return sums


class KernelGrid:
    """Sums of the kernels of fixed points at many places. Takes memory for all points' bounding box: see `fits`."""

    def __init__(self, points: Points) -> None:
        self._origin = points.min(0) - _BORDER * _STEP
        self._nodes = np.zeros(_size(points))
        for rows, nodes in _tiles(points, self._origin):
            first, second = _factors(points[rows], nodes, self._origin)
            self._nodes[nodes] += first.T @ second
        self._clusters = _Clusters(points, self._origin)

    @staticmethod
    def fits(points: Points) -> bool:
        """Whether the grid of these points takes at most 256 MB; outliers among 100,000 points can prevent it."""
        return math.prod(_size(points)) <= _MOST_NODES

    def sums(self, places: Points) -> Sums:
        """Sum of the kernels of all points at each place; relative error below 5e-13."""
        sums, rows_inside = np.zeros(len(places)), np.flatnonzero(self._inside(places))
        inside = places[rows_inside]
        for rows, nodes in _tiles(inside, self._origin):
            first, second = _factors(inside[rows], nodes, self._origin)
            sums[rows_inside[rows]] = ((first @ self._nodes[nodes]) * second).sum(1)
        sums *= 2 / math.pi * _STEP**2
        doubtful = sums < _DOUBTFUL * self._clusters.num_points
        sums[doubtful] = self._clusters.sums(places[doubtful])
        return sums

    def _inside(self, places: Points) -> np.ndarray:
        """Which places have all nodes of their tile's reach."""
        cells = (places - self._origin) / _STEP
        edge = _REACH + _TILE
        return ((cells >= edge) & (cells < np.array(self._nodes.shape) - edge)).all(1)


class _Clusters:
    """Points in the squares of a coarse grid, to find those that count at a place far from most of them."""

    def __init__(self, points: Points, origin: np.ndarray) -> None:
        self.num_points = len(points)
        self._members = [points[rows] for rows in _squares(points, origin)]
        self._low = np.array([members.min(0) for members in self._members])
        self._high = np.array([members.max(0) for members in self._members])
        self._some = np.array([members[0] for members in self._members])

    def sums(self, places: Points) -> Sums:
        """Sum of the kernels at each place, of all points whose part is not negligible."""
        further = 2 * math.log(self.num_points / _NEGLIGIBLE)
        sums = np.empty(len(places))
        for number, place in enumerate(places):
            gaps = np.maximum(np.maximum(self._low - place, place - self._high), 0)
            closest = ((self._some - place) ** 2).sum(1).min()
            near = np.flatnonzero((gaps**2).sum(1) <= closest + further)
            sums[number] = pair_sums(place[None], np.concatenate([self._members[cluster] for cluster in near]))[0]
        return sums


def _size(points: Points) -> tuple[int, int]:
    first, second = np.ceil(np.ptp(points, axis=0) / _STEP).astype(int) + 2 * _BORDER
    return int(first), int(second)


def _squares(points: Points, origin: np.ndarray) -> list[Int[np.ndarray, " row"]]:
    """Rows of the points of each tile that has some."""
    squares = np.floor((points - origin) / (_STEP * _TILE)).astype(np.int64)
    order = np.lexsort(squares.T)
    changes = np.flatnonzero(np.diff(squares[order], axis=0).any(1)) + 1
    return np.split(order, changes) if len(order) else []


def _tiles(points: Points, origin: np.ndarray) -> Iterator[tuple[np.ndarray, Nodes]]:
    """Rows of points in one tile, and the nodes that count for them."""
    for rows in _squares(points, origin):
        first, second = np.floor((points[rows[0]] - origin) / (_STEP * _TILE)).astype(int) * _TILE - _REACH
        length = _TILE + 2 * _REACH + 1
        nodes = slice(first, first + length), slice(second, second + length)
        for start in range(0, len(rows), _POINTS_AT_ONCE):
            yield rows[start : start + _POINTS_AT_ONCE], nodes


def _factors(points: Points, nodes: Nodes, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """exp(-(p-u)²) of points and nodes, (points, nodes), along each axis."""
    places = [origin[axis] + np.arange(part.start, part.stop) * _STEP for axis, part in enumerate(nodes)]
    first, second = (np.exp(-np.square(points[:, axis, None] - places[axis])) for axis in (0, 1))
    return first, second
