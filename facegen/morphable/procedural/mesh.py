"""A mesh piece of the head with what the deformation and colour fields need to know about each vertex."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facegen.morphable.procedural.fields import Array

Index = NDArray[np.int64]

PARTS = ("background", "skin", "hair", "eye", "ear", "lips", "mouth", "brow", "cloth")


class Piece(NamedTuple):
    """V vertices and F triangles, counter-clockwise seen from outside."""

    vertices: Array  # (V, 3)
    triangles: Index  # (F, 3)
    anchors: Array  # (V, 3) where deformation fields are evaluated: an eyeball moves with its centre
    level: Array  # (V,) -1 below the slit of mouth or lids, 1 above, 0 elsewhere
    coordinates: Array  # (V, 2) a piece's own surface coordinates, used for painting
    part: str


def piece(vertices: Array, triangles: Index, part: str, coordinates: Array, anchors: Array | None = None) -> Piece:
    """A piece without a slit; vertices move with the fields at their own place unless `anchors` are given."""
    anchors = vertices if anchors is None else np.broadcast_to(anchors, vertices.shape)
    return Piece(vertices, triangles, anchors, np.zeros(len(vertices)), coordinates, part)


def grid_triangles(index: Index, flip: NDArray[np.bool_] | None = None) -> Index:
    """Two triangles for each cell of an (R, C) array of vertex numbers; rows go down, columns to the viewer's right.

    `flip` chooses the other diagonal per cell, so that mirrored cells can have mirrored diagonals.
    """
    a, b, c, d = (part.reshape(-1) for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    plain = np.stack([a, b, c, a, c, d], axis=1)
    if flip is not None:
        plain = np.where(flip.reshape(-1, 1), np.stack([a, b, d, b, c, d], axis=1), plain)
    triangles = plain.reshape(-1, 3)
    distinct = (triangles != np.roll(triangles, 1, axis=1)).all(1)
    return triangles[distinct]


def mirrored(original: Piece) -> Piece:
    """The piece on the other side of the head."""
    sign = np.array([-1.0, 1.0, 1.0])
    return original._replace(
        vertices=original.vertices * sign, anchors=original.anchors * sign, triangles=original.triangles[:, ::-1]
    )


def offsets(pieces: Sequence[Piece]) -> list[int]:
    """First vertex of each piece after joining, and the total at the end."""
    return [0, *np.cumsum([len(one.vertices) for one in pieces]).tolist()]


def join(pieces: Sequence[Piece]) -> tuple[Array, Index]:
    """Vertices and triangles of all pieces together."""
    starts = offsets(pieces)
    triangles = [one.triangles + start for one, start in zip(pieces, starts, strict=False)]
    return np.concatenate([one.vertices for one in pieces]), np.concatenate(triangles)
