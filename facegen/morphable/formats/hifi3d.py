"""HiFi3D++ as FFHQ-UV uses it (Bai et al. 2023; the model is Chai et al.'s REALY's, 2022).

The file is laid out as Deep3DFaceRecon's (`bfm`), indices from 1, with 532 + 45 + 439 modes, and the whole head beside
the face: `tri` is drawn, normals and `point_buf` count the triangles `head_tri`. `vt_list` are points of the texture,
v up, `tri_vt` and `head_tri_vt` the corners of the triangles among them.
"""

from pathlib import Path

import torch

from facegen.morphable.formats.arrays import Arrays, ModelFile
from facegen.morphable.formats.matlab import read_mat
from facegen.morphable.model import Basis, UVMap

NAME = "HiFi3D++"
TERMS = "HiFi3D++: research only, terms of REALY and FFHQ-UV (https://github.com/csbhr/FFHQ-UV)"


def read_hifi3d(path: str | Path, whole_head: bool = False, dtype: torch.dtype = torch.float32) -> ModelFile:
    """The model of FFHQ-UV's `hifi3dpp_model_info.mat`. whole_head: draw the back of the head and the neck, too."""
    return hifi3d_model(read_mat(Path(path))._replace(dtype=dtype), whole_head)


def hifi3d_model(arrays: Arrays, whole_head: bool = False) -> ModelFile:
    """The model of the variables of such a file."""
    mean = arrays.points("meanshape")
    vertices = len(mean)
    coordinates = arrays.floats("vt_list", (-1, 2))
    drawn = "head_tri" if whole_head else "tri"
    triangles, head = (arrays.indices(name, (-1, 3), vertices) for name in (drawn, "head_tri"))
    chart = arrays.indices(f"{drawn}_vt", (len(triangles), 3), len(coordinates))
    basis = Basis(
        mean,
        arrays.modes("idBase", vertices),
        arrays.modes("exBase", vertices),
        arrays.floats("meantex", (3 * vertices,)).reshape(-1, 3) / 255,
        arrays.modes("texBase", vertices) / 255,
        triangles,
        arrays.indices("keypoints", (68,), vertices),
        vertex_faces=arrays.indices("point_buf", (vertices, -1), len(head) + 1),
        normal_triangles=head,
        skin=arrays.floats("skinmask", (vertices,)),
        uv=UVMap(coordinates, chart),
    )
    return ModelFile(basis, NAME, TERMS)
