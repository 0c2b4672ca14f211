"""Tables of the packing of the Basel Face Model: which vertices of its parts are kept, and what is known of them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from numpy.typing import NDArray

from facegen.morphable.formats.arrays import Arrays
from facegen.morphable.formats.bfm import AROUND
from facegen.morphable.formats.matlab import read_mat

FILES = ("BFM_front_idx.mat", "BFM_exp_idx.mat", "facemodel_info.mat")
_SHAPES = {"tri": (-1, 3), "keypoints": (1, -1), "frontmask2_idx": (-1, 1), "tri_mask2": (-1, 3)}
_ANY_VERTEX = np.iinfo(np.int32).max


class Tables(NamedTuple):
    """Which vertices are kept, and what is known of them; indices count from 0.

    shape_vertices: rows of the Basel Face Model. expression_vertices: rows of the expressions. The others are the
    variables of `BFM_model_front.mat` that are no modes (see `bfm`), without `point_buf`, which follows from `tri`.
    """

    shape_vertices: Int64[np.ndarray, " vertex"]
    expression_vertices: Int64[np.ndarray, " vertex"]
    tri: Int64[np.ndarray, "face 3"]
    keypoints: Int64[np.ndarray, "68"]
    frontmask2_idx: Int64[np.ndarray, " front"]
    tri_mask2: Int64[np.ndarray, "front_face 3"]
    skinmask: Float32[np.ndarray, " vertex"]


def read_tables(folder: str | Path) -> Tables:
    """The tables of Deep3DFaceRecon's folder `BFM`: `BFM_front_idx.mat`, `BFM_exp_idx.mat`, `facemodel_info.mat`."""
    front, shape, info = (read_mat(Path(folder) / name) for name in FILES)
    expression_vertices = front.indices("idx", (-1,), _ANY_VERTEX).numpy()
    trimmed = shape.indices("trimIndex", (-1,), _ANY_VERTEX).numpy()
    if len(expression_vertices) and expression_vertices.max() >= len(trimmed):
        raise ValueError(
            f"{front.path}: idx counts to {expression_vertices.max() + 1}, expected at most {len(trimmed)}, as many as "
            f"trimIndex has in {shape.path}; take both from one copy of Deep3DFaceRecon"
        )
    return Tables(trimmed[expression_vertices], expression_vertices, **_described(info, len(expression_vertices), 1))


def tables_of(arrays: Arrays) -> Tables:
    """The same from arrays that count from 0, `bfm09_vertex_index` and `exp_vertex_index` among them."""
    shape, expression = (
        arrays.indices(name, (-1,), _ANY_VERTEX, 0).numpy() for name in ("bfm09_vertex_index", "exp_vertex_index")
    )
    return Tables(shape, expression, **_described(arrays, len(shape), 0))


def _described(info: Arrays, vertices: int, first: int) -> dict[str, NDArray]:
    listed = info.indices("frontmask2_idx", (-1,), vertices, first)
    return {
        "tri": info.indices("tri", (-1, 3), vertices, first).numpy(),
        "keypoints": info.indices("keypoints", (68,), vertices, first).numpy(),
        "frontmask2_idx": listed.numpy(),
        "tri_mask2": info.indices("tri_mask2", (-1, 3), len(listed), first).numpy(),
        "skinmask": info.floats("skinmask", (vertices,)).numpy(),
    }


def packed_tables(tables: Tables) -> dict[str, NDArray[np.float32]]:
    """The tables as the packed file has them: floats from 1; `skinmask` and the shapes of vectors as published."""
    around = triangles_around(tables.tri, len(tables.shape_vertices))
    indices = {name: getattr(tables, name).reshape(shape) for name, shape in _SHAPES.items()}
    packed = {name: values.astype(np.float32) + 1 for name, values in (indices | {"point_buf": around}).items()}
    return packed | {"skinmask": tables.skinmask.reshape(1, -1)}


def triangles_around(triangles: Int64[np.ndarray, "face 3"], vertices: int) -> Int64[np.ndarray, "vertex 8"]:
    """The triangles around each vertex in their order, padded with the number of triangles.

    Raises ValueError where a vertex has more than eight.
    """
    corners = triangles.reshape(-1)
    order = np.argsort(corners, kind="stable")
    count = np.bincount(corners, minlength=vertices)
    if len(count) and count.max() > AROUND:
        raise ValueError(f"tri: a vertex has {count.max()} triangles around it, expected at most {AROUND}")
    place = np.arange(len(corners)) - np.repeat(np.cumsum(count) - count, count)
    around = np.full((vertices, AROUND), len(triangles))
    around[corners[order], place] = order // 3
    return around
