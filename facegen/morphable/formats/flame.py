"""FLAME (Li et al. 2017; the files of 2020 and 2023): a head in metres, 300 identity and 100 expression modes.

Read are `v_template`, `shapedirs` and `f`, from the published pickle (arrays, chumpy objects and sparse matrices, read
as data) or an .npz of the same names. What FLAME does beyond a linear model is left out: joints of neck, jaw and eyes,
and the corrections that depend on their pose (`posedirs`). An open mouth has to come from the expressions.

FLAME has no landmarks of its own. They are points of triangles, in files that others publish; one has to lie beside the
model (`EMBEDDINGS`). Those 68 points become vertices of no triangle after the mesh's own.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.checkpoint.inert import Global
from facegen.checkpoint.safe_pickle import Instance, load_pickle
from facegen.morphable.formats.arrays import Arrays, ModelFile
from facegen.morphable.formats.flame_landmarks import landmark_points
from facegen.morphable.formats.frame import frame_of
from facegen.morphable.formats.ict import EYE_WHITE, SKIN
from facegen.morphable.formats.npz import MAGIC, read_npz
from facegen.morphable.model import Basis, UVMap

NAME = "FLAME"
TERMS = "FLAME: licence of the Max Planck Society under which it was downloaded (https://flame.is.tue.mpg.de)"
NUM_IDENTITY, NUM_EXPRESSION = 300, 100
TEXTURE, MASKS = "FLAME_texture.npz", "FLAME_masks.pkl"
_EYEBALLS = range(3931, 5023)  # vertices of both; none other lies behind
_CHUMPY = (Global("chumpy.ch", "Ch"), Global("chumpy.reordering", "Select"))
_SPARSE = tuple(
    Global(f"scipy.sparse.{module}", kind)
    for kind in ("csc_matrix", "csr_matrix", "coo_matrix")
    for module in (kind[:3], f"_{kind[:3]}")
)
_WANTED = ("v_template", "shapedirs", "f")


def read_flame(path: str | Path) -> ModelFile:
    """The model of a pickle or .npz, in decimetres and in the frame of `frame`. Without albedo modes.

    Files beside it that are used: the landmarks (`flame_landmarks`), the chart of `FLAME_texture.npz`, the mask of the
    face in `FLAME_masks.pkl`.
    """
    path = Path(path)
    with path.open("rb") as file:
        zipped = file.read(len(MAGIC)) == MAGIC
    return flame_model(read_npz(path) if zipped else read_flame_pickle(path))


def read_flame_pickle(path: Path) -> Arrays:
    """The arrays of a published pickle, of which nothing is executed."""
    content = load_pickle(path, (*_CHUMPY, *_SPARSE))
    if type(content) is not dict or any(name not in content for name in _WANTED):
        raise ValueError(f"{path}: a pickle without {', '.join(_WANTED)}; expected FLAME's generic_model.pkl")
    return Arrays(path, {name: _evaluated(content[name], path, name) for name in _WANTED})


def _evaluated(value: Any, path: Path, name: str) -> Any:
    """The array of a chumpy object: a plain one, or a selection from another."""
    if not isinstance(value, Instance):
        return value
    found = value.attributes
    if value.class_name == str(_CHUMPY[0]) and "x" in found:
        return found["x"]
    if value.class_name == str(_CHUMPY[1]) and {"a", "idxs", "preferred_shape"} <= found.keys():
        source = np.ravel(_evaluated(found["a"], path, name))
        chosen = Arrays(path, {"idxs": found["idxs"]}).indices("idxs", (-1,), len(source), 0)
        return source[chosen.numpy()].reshape(_extents(found["preferred_shape"], len(chosen), path, name))
    raise ValueError(f"{path}: {name} is a {value.class_name}, expected an array; convert the model to .npz")


def _extents(shape: object, count: int, path: Path, name: str) -> tuple[int, ...]:
    if type(shape) is not tuple or not all(type(extent) is int for extent in shape) or math.prod(shape) != count:
        raise ValueError(f"{path}: {name} is a selection of {count} numbers in the shape {str(shape)[:60]}")
    return shape


def flame_model(arrays: Arrays) -> ModelFile:
    """The model of the arrays of such a file."""
    template = arrays.floats("v_template", (-1, 3))
    vertices = len(template)
    moves = arrays.floats("shapedirs", (vertices, 3, NUM_IDENTITY + NUM_EXPRESSION))
    faces = arrays.indices("f", (-1, 3), vertices, 0)
    corners, weights = landmark_points(arrays, faces)
    template, modes = (_with_points(part, corners, weights) for part in (template, moves.permute(2, 0, 1)))
    frame = frame_of(template[vertices:])
    skin = _face(arrays.path.parent / MASKS, vertices, len(template))
    basis = Basis(
        frame.points(template),
        frame.offsets(modes[:NUM_IDENTITY]),
        frame.offsets(modes[NUM_IDENTITY:]),
        _colors(vertices, len(template)),
        torch.zeros(0, len(template), 3),
        faces,
        torch.arange(vertices, len(template)),
        skin=skin,
        front=None if skin is None else faces[(skin[faces] > 0).all(dim=1)],
        uv=_chart(arrays.path.parent / TEXTURE, len(faces)),
        recentre=False,
    )
    return ModelFile(basis, NAME, TERMS)


def _with_points(
    points: Float[Tensor, "*mode vertex 3"], corners: Int[Tensor, "68 3"], weights: Float[Tensor, "68 3"]
) -> Float[Tensor, "*mode more 3"]:
    """Vertices followed by points inside triangles; linear, so that modes are treated as positions are."""
    inside = (points[..., corners, :] * weights[..., None]).sum(dim=-2)
    return torch.cat([points, inside], dim=-2).contiguous()


def _colors(vertices: int, total: int) -> Float[Tensor, "more 3"]:
    colors = torch.tensor(SKIN).repeat(total, 1)
    if vertices == _EYEBALLS.stop:
        colors[_EYEBALLS.start : _EYEBALLS.stop] = torch.tensor(EYE_WHITE)
    return colors


def _face(path: Path, vertices: int, total: int) -> Float[Tensor, " more"] | None:
    """1 at the vertices that FLAME's masks call the face; None without that file."""
    if not path.is_file():
        return None
    masks = load_pickle(path)
    listed = Arrays(path, masks if isinstance(masks, dict) else {}).indices("face", (-1,), vertices, 0)
    return torch.zeros(total).index_fill(0, listed, 1.0)


def _chart(path: Path, faces: int) -> UVMap | None:
    """The chart that comes with FLAME's texture space; None without that file."""
    if not path.is_file():
        return None
    arrays = read_npz(path)
    coordinates = arrays.floats("vt", (-1, 2))
    return UVMap(coordinates, arrays.indices("ft", (faces, 3), len(coordinates), 0))
