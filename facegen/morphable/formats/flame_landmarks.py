"""Where the 68 landmarks lie on FLAME: a triangle and weights of its corners for each, from files beside the model.

Known are `landmark_embedding.npy` (of DECA and others; also as .npz) and the pair `flame_static_embedding.pkl`,
`flame_dynamic_embedding.npy` (of the SMPL-X code). The 51 points inside the face are fixed. The 17 of its outline
depend on the view there; those of the frontal one are taken.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.checkpoint.files import check_file
from facegen.checkpoint.safe_pickle import load_pickle
from facegen.morphable.formats.arrays import Arrays
from facegen.morphable.formats.npz import read_npz

EMBEDDINGS = ("landmark_embedding.npy", "landmark_embedding.npz", "flame_static_embedding.pkl")
_DYNAMIC = "flame_dynamic_embedding.npy"
_FULL = ("full_lmk_faces_idx", "full_lmk_bary_coords")
_STATIC = ("static_lmk_faces_idx", "static_lmk_bary_coords")
_OUTLINE = ("dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords")
_SHORT = ("lmk_face_idx", "lmk_b_coords")  # names in the pair of files
_INSIDE, _AROUND = 51, 17
_NPY_MAGIC = b"\x93NUMPY"


def landmark_points(model: Arrays, faces: Int[Tensor, "face 3"]) -> tuple[Int[Tensor, "68 3"], Float[Tensor, "68 3"]]:
    """Vertices of the triangles on which the landmarks lie, and the weights of those vertices, which sum to 1.

    Raises ValueError where there is no file of landmarks beside the model, or one of another mesh.
    """
    found = model if _FULL[0] in model.content else _beside(model.path)
    if _FULL[0] in found.content:
        number = found.indices(_FULL[0], (-1,) if _flat(found, _FULL[0]) else (1, -1), len(faces), 0).flatten()
        weights = found.floats(_FULL[1], (-1, 3) if _flat(found, _FULL[0]) else (1, -1, 3)).reshape(-1, 3)
    else:
        parts = [_outline(found, len(faces)), _inside(found, len(faces))]
        number, weights = (torch.cat(column) for column in zip(*parts, strict=True))
    if len(number) != _INSIDE + _AROUND or len(weights) != len(number):
        raise ValueError(f"{found.path}: {len(number)} landmarks with {len(weights)} weights, expected 68 of both")
    if bool((weights.sum(dim=1) - 1).abs().max() > 1e-3):
        raise ValueError(f"{found.path}: the weights of a landmark do not sum to 1; the file is damaged")
    return faces[number], weights


def _flat(arrays: Arrays, name: str) -> bool:
    return np.ndim(arrays.content[name]) == 1


def _outline(found: Arrays, faces: int) -> tuple[Tensor, Tensor]:
    """The frontal view's, the first row."""
    number = found.indices(_OUTLINE[0], (-1, _AROUND), faces, 0)
    return number[0], found.floats(_OUTLINE[1], (len(number), _AROUND, 3))[0]


def _inside(found: Arrays, faces: int) -> tuple[Tensor, Tensor]:
    return found.indices(_STATIC[0], (_INSIDE,), faces, 0), found.floats(_STATIC[1], (_INSIDE, 3))


def _beside(model: Path) -> Arrays:
    """The file of landmarks in the folder of the model."""
    for name in EMBEDDINGS:
        path = model.parent / name
        if path.is_file():
            return read_npz(path) if path.suffix == ".npz" else Arrays(path, _renamed(path))
    raise ValueError(
        f"{model}: FLAME needs its 68 landmarks in a file beside it, expected one of {', '.join(EMBEDDINGS)}; "
        "landmark_embedding.npy comes with DECA (https://github.com/yfeng95/DECA)"
    )


def _renamed(path: Path) -> dict[str, Any]:
    """The content of a file of landmarks, names as in `landmark_embedding.npy`."""
    content = _dictionary(path)
    if path.suffix == ".npy":
        return content
    outline = _dictionary(path.parent / _DYNAMIC)
    pairs = [(content, _STATIC), (outline, _OUTLINE)]
    return {new: part[old] for part, names in pairs for old, new in zip(_SHORT, names, strict=True) if old in part}


def _dictionary(path: Path) -> dict[str, Any]:
    """A pickled dictionary of arrays, bare or wrapped as `numpy.save` does; nothing in it is executed."""
    try:
        check_file(path)
        content = load_pickle(path, skip=_npy_header(path))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; it belongs to FLAME's landmarks") from error
    if type(content) is not dict:
        raise ValueError(f"{path}: holds a {type(content).__name__}, expected the landmarks of FLAME by name")
    return content


def _npy_header(path: Path) -> int:
    """Length of the header that `numpy.save` writes before a pickle; 0 for a bare one."""
    with path.open("rb") as file:
        start = file.read(12)
    if not start.startswith(_NPY_MAGIC):
        return 0
    wide = start[6] > 1  # version 2 and later: four bytes of length
    return int.from_bytes(start[8:12] if wide else start[8:10], "little") + (12 if wide else 10)
