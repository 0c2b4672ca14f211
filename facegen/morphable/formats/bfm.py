"""The Basel Face Model as Deep3DFaceRecon packs it (`BFM_model_front.mat`), written and read.

All numbers are floats, all indices count from 1. Names and shapes, V vertices and F triangles:

    meanshape, meantex (1, 3V); idBase (3V, 80), exBase (3V, 64), texBase (3V, 80): x, y, z or r, g, b of a vertex side
    by side, shape in decimetres, colours 0 to 255; tri (F, 3); point_buf (V, 8), the triangles around each vertex,
    padded with F + 1; keypoints (1, 68); skinmask (1, V); frontmask2_idx (W, 1) and tri_mask2 (M, 3), the face without
    ears.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from facegen.morphable.formats.arrays import Arrays, ModelFile
from facegen.morphable.formats.matlab import read_mat, write_mat
from facegen.morphable.model import Basis

NAME = "Basel Face Model 2009"
TERMS = (
    "Basel Face Model: non-commercial research, licence of the University of Basel (https://faces.dmi.unibas.ch/bfm); "
    "expressions of Guo et al. (https://github.com/Juyong/3DFace)"
)
AROUND = 8  # columns of point_buf
Front = Literal["compact", "direct"]


def read_bfm(path: str | Path, front: Front = "compact", dtype: torch.dtype = torch.float32) -> ModelFile:
    """The model of a `BFM_model_front.mat`.

    front: whether `tri_mask2` counts the vertices that `frontmask2_idx` lists (`compact`), or all vertices (`direct`),
    as Deep3DFaceRecon's code takes it. In the real file only 58 % of its triangles are triangles of the mesh when read
    directly, and all of them through the list.
    """
    return bfm_model(read_mat(Path(path))._replace(dtype=dtype), front)


def bfm_model(arrays: Arrays, front: Front = "compact") -> ModelFile:
    """The model of the variables of such a file."""
    mean = arrays.points("meanshape")
    vertices = len(mean)
    triangles = arrays.indices("tri", (-1, 3), vertices)
    listed = arrays.indices("frontmask2_idx", (-1,), vertices)
    compact = arrays.indices("tri_mask2", (-1, 3), len(listed))
    basis = Basis(
        mean,
        arrays.modes("idBase", vertices),
        arrays.modes("exBase", vertices),
        arrays.floats("meantex", (3 * vertices,)).reshape(-1, 3) / 255,
        arrays.modes("texBase", vertices) / 255,
        triangles,
        arrays.indices("keypoints", (68,), vertices),
        vertex_faces=arrays.indices("point_buf", (vertices, -1), len(triangles) + 1),
        skin=arrays.floats("skinmask", (vertices,)),
        front=listed[compact] if front == "compact" else compact,
    )
    return ModelFile(basis, NAME, TERMS)


def write_bfm(path: str | Path, content: Mapping[str, np.ndarray]) -> None:
    """Write the variables, `bfm09.pack_bfm09`'s for example; the file is checked before it is in place."""
    bfm_model(Arrays(Path(path), content))
    write_mat(path, content)
