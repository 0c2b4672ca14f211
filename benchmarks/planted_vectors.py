"""Unit vectors like those of faces, with near-duplicates whose number and cosines are known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

CLUSTERS, INTRINSIC = 200, 64
COPIED, GROUP_SIZES, COSINES = 0.04, (2, 6), (0.88, 0.995)
_ROWS_AT_ONCE = 16384


class Planted(NamedTuple):
    """Vectors, and for each the row it was copied from (its own where it was not)."""

    matrix: Float[np.ndarray, "row dim"]
    original: Int[np.ndarray, " row"]


def planted_vectors(count: int, dim: int, seed: int = 0) -> Planted:
    """Vectors of 64 directions of falling strength (1/sqrt(k)) around 200 centres, a common offset (two faces are alike
    before all else) and noise in all directions. 4 % of the rows are copies, in groups of 2 to 6, with a cosine to
    their original drawn evenly from 0.88 to 0.995: some of them are not above 0.92.
    """
    rng = np.random.default_rng(seed)
    strength = np.arange(1, INTRINSIC + 1) ** -0.5
    basis = np.linalg.qr(rng.standard_normal((dim, INTRINSIC + 1)))[0].T.astype(np.float32)
    centres = rng.standard_normal((CLUSTERS, INTRINSIC)) * strength
    matrix = np.empty((count, dim), np.float32)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = min(_ROWS_AT_ONCE, count - start)
        inner = centres[rng.integers(0, CLUSTERS, rows)] + rng.standard_normal((rows, INTRINSIC)) * strength
        some = inner.astype(np.float32) @ basis[1:] + 2.5 * basis[0]
        some += 0.03 * rng.standard_normal((rows, dim), dtype=np.float32)
        matrix[start : start + rows] = some / np.linalg.norm(some, axis=1, keepdims=True)
    return Planted(matrix, _copied(matrix, basis[1:], rng))


def _copied(matrix: np.ndarray, basis: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Overwrite rows by copies of others, away from them half in the directions in which faces differ."""
    order = rng.permutation(len(matrix))
    original, place = np.arange(len(matrix)), 0
    while place < COPIED * len(matrix):
        group = order[place : place + rng.integers(GROUP_SIZES[0], GROUP_SIZES[1] + 1)]
        base, copies = matrix[group[0]], group[1:]
        away = rng.standard_normal((len(copies), len(basis))) @ basis / len(basis) ** 0.5
        away += rng.standard_normal(away.shape) / away.shape[1] ** 0.5
        away -= (away @ base)[:, None] * base
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        cosine = rng.uniform(*COSINES, (len(copies), 1))
        matrix[copies] = cosine * base + (1 - cosine**2) ** 0.5 * away
        original[copies] = group[0]
        place += len(group)
    return original


def planted_pairs(planted: Planted, threshold: float) -> set[tuple[int, int]]:
    """The pairs of rows within groups whose cosine is above a threshold."""
    order = np.argsort(planted.original, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(planted.original[order])) + 1)
    pairs: set[tuple[int, int]] = set()
    for group in groups:
        if len(group) > 1:
            rows = np.sort(group)
            first, second = np.nonzero(np.triu(planted.matrix[rows] @ planted.matrix[rows].T > threshold, 1))
            pairs.update(zip(rows[first].tolist(), rows[second].tolist(), strict=True))
    return pairs
