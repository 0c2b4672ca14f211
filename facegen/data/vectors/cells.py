"""Cells of similar vectors around centres: the inverted file of Sivic and Zisserman 2003, on a sphere."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from facegen.data.search import CHUNK

FEWEST = 16384  # vectors that are compared with all others faster than with some
KEPT = 16  # cells that are known of each vector, the nearest first
_ROUNDS, _SAMPLE = 8, 48  # of Lloyd's algorithm, on so many vectors for each centre


class Cells(NamedTuple):
    """Unit centres of cells, and for each vector the cells whose centres are nearest, its own first."""

    centres: Float[np.ndarray, "cell dim"]
    nearest: Int[np.ndarray, "vector kept"]


def make_cells(matrix: Float[np.ndarray, "vector dim"], num_cells: int | None = None, seed: int = 0) -> Cells:
    """Spherical k-means (Dhillon and Modha 2001) on a sample of unit vectors, then the cells of them all.

    num_cells: 1.5 times the root of their number where it is None, 1 for a few vectors.
    """
    if not len(matrix):
        return Cells(np.zeros((1, matrix.shape[1]), np.float32), np.zeros((0, 1), np.int32))
    if num_cells is None:
        num_cells = round(1.5 * len(matrix) ** 0.5) if len(matrix) > FEWEST else 1
    rng = np.random.default_rng(seed)
    sample = matrix[np.sort(rng.permutation(len(matrix))[: _SAMPLE * num_cells])]
    centres = sample[rng.permutation(len(sample))[:num_cells]]
    for _ in range(_ROUNDS if num_cells > 1 else 1):
        centres = _moved(centres, sample, nearest_cells(sample, centres, 1)[:, 0])
    return Cells(centres, nearest_cells(matrix, centres, KEPT))


def nearest_cells(
    matrix: Float[np.ndarray, "vector dim"], centres: Float[np.ndarray, "cell dim"], count: int
) -> Int[np.ndarray, "vector kept"]:
    """The cells (`count`, or all) of the most similar centres for each vector, the best first."""
    count = min(count, len(centres))
    found = np.empty((len(matrix), count), np.int32)
    for start in range(0, len(matrix), CHUNK):
        distances = -matrix[start : start + CHUNK] @ centres.T
        some = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, some, 1), axis=1)
        found[start : start + CHUNK] = np.take_along_axis(some, order, 1)
    return found


def _moved(
    centres: Float[np.ndarray, "cell dim"], sample: Float[np.ndarray, "vector dim"], cells: Int[np.ndarray, " vector"]
) -> Float[np.ndarray, "cell dim"]:
    """Directions of the sums of each cell's vectors; a cell without any stays where it is."""
    order = np.argsort(cells, kind="stable")
    used, starts = np.unique(cells[order], return_index=True)
    moved = centres.copy()
    moved[used] = np.add.reduceat(sample[order], starts, axis=0)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
