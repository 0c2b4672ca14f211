"""Filling parts of a texture with the structure of another: Poisson image editing (Perez et al. 2003)."""

from typing import Any

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from facegen.morphable.uv.masks import Mask, Texture

_KERNEL = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float64)


def laplacian_matrix(height: int, width: int) -> sparse.csr_array:
    """Four times a pixel minus its neighbours inside the picture, for pixels counted along rows.

    As published by FFHQ-UV, the first pixel of the second row lacks its upper neighbour (its test is i > width).
    """
    count = height * width
    index = np.arange(count)
    column = index % width
    upper = np.where(index > width, -1.0, 0.0)
    left = np.where(column > 0, -1.0, 0.0)
    right = np.where(column < width - 1, -1.0, 0.0)
    # a diagonal of an array of diagonals starts where its column index is 0, and below the main one that is later rows
    bands = [upper[width:], left[1:], np.full(count, 4.0), right[:-1], np.full(count - width, -1.0)]
    offsets: Any = [-width, -1, 0, 1, width]  # scipy's annotation knows one offset only
    return sparse.csr_array(sparse.diags_array(bands, offsets=offsets, shape=(count, count)))


def poisson_fill(current: Texture, source: Texture, mask: Mask) -> Texture:
    """`current`, with those pixels inside the mask whose Laplacian is that of `source` and whose border is `current`'s.

    float64. Keep the mask away from the border of the arrays: there, a missing neighbour counts as black.
    """
    filled = current.astype(np.float64)
    pixels = filled.reshape(-1, 3)
    unknown = np.flatnonzero(mask > 0.5)
    if not len(unknown):
        return filled
    known = np.flatnonzero(mask.ravel() <= 0.5)
    rows = laplacian_matrix(*mask.shape)[unknown]
    wanted = cv2.filter2D(source.astype(np.float64), -1, _KERNEL).reshape(-1, 3)[unknown]
    solver = linalg.splu(sparse.csc_array(rows[:, unknown]))
    pixels[unknown] = solver.solve(wanted - rows[:, known] @ pixels[known])
    return filled
