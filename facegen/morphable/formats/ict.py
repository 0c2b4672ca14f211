"""ICT-FaceKit (Li et al. 2020): a head in centimetres with 100 identity modes and 53 expressions, without colours.

Two forms: the folder `FaceXModel` of the project, and the same packed into one .npz (arrays `neutral`, `identity`,
`expression`, `expression_names`, `faces`, `landmarks68`, and for the whole head `uv`, `uv_faces`, `material`,
`material_names`). Identity modes are principal components times their standard deviations. Expressions are the
shapes of Apple's ARKit, 1 at their full extent: about a standard deviation of strong expressions.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from facegen.morphable.formats.arrays import Arrays, ModelFile
from facegen.morphable.formats.frame import frame_of
from facegen.morphable.formats.npz import read_npz
from facegen.morphable.model import Basis, UVMap

NAME = "ICT-FaceKit"
TERMS = "ICT-FaceKit: MIT licence, USC Institute for Creative Technologies (https://github.com/ICT-VGL/ICT-FaceKit)"
SKIN = (0.74, 0.56, 0.47)
EYE_WHITE = (0.86, 0.83, 0.80)
_IRIS = (0.22, 0.15, 0.11)
_SEEN_IRIS = 0.91  # cosine of the angle from the eye's axis within which the eyeball has the iris' colour
# Colours of the pieces that are kept. What covers the eyes like glass (fluid, shadows, lashes) is left out.
_COLORS = {
    "M_Face": SKIN,
    "M_BackHead": SKIN,
    "M_GumsTongue": (0.55, 0.27, 0.25),
    "M_Teeth": (0.82, 0.78, 0.70),
    "M_ScleraLeft": EYE_WHITE,
    "M_IrisLeft": _IRIS,
    "M_ScleraRight": EYE_WHITE,
    "M_IrisRight": _IRIS,
}
_FACE = "M_Face"
# The head is held 4.5 degrees lower than Deep3DFaceRecon's: on 394 photographs of FFHQ, dlib's landmarks fitted without
# a correction give cameras 4.9 degrees (median) below EG3D's published ones.
NOD = math.radians(-4.5)


def read_ict(path: str | Path) -> ModelFile:
    """The model of a packed .npz, in decimetres and in the frame of `frame`."""
    return ict_model(read_npz(Path(path)))


class _Pieces(NamedTuple):
    """Triangles and vertices that are kept; `part` is each vertex's number in `_COLORS`."""

    triangles: Int[Tensor, " face"]
    vertices: Int[Tensor, " vertex"]
    part: Tensor


def ict_model(arrays: Arrays) -> ModelFile:
    """The model of the arrays of such a file."""
    neutral = arrays.floats("neutral", (-1, 3))
    count = len(neutral)
    faces = arrays.indices("faces", (-1, 3), count, 0)
    landmarks = arrays.indices("landmarks68", (68,), count, 0)
    material = _material(arrays, len(faces))
    pieces = _pieces(faces, material, count)
    number = torch.full((count,), -1)
    number[pieces.vertices] = torch.arange(len(pieces.vertices))
    if bool((number[landmarks] < 0).any()):
        raise ValueError(f"{arrays.path}: landmarks68 name vertices of no triangle; the file is damaged")
    frame = frame_of(neutral[landmarks], NOD)
    kept = pieces.vertices
    modes = {kind: frame.offsets(arrays.floats(kind, (-1, count, 3))[:, kept]) for kind in ("identity", "expression")}
    triangles = number[faces[pieces.triangles]]
    face = pieces.part == 0
    basis = Basis(
        frame.points(neutral[kept]),
        modes["identity"],
        modes["expression"],
        _colors(neutral[kept], pieces.part),
        torch.zeros(0, len(kept), 3),
        triangles,
        number[landmarks],
        skin=face.float(),
        front=triangles[face[triangles].all(dim=1)],
        parts=pieces.part.to(torch.uint8),
        part_names=tuple(name.removeprefix("M_").lower() for name in _COLORS),
        uv=_chart(arrays, pieces.triangles, material),
        recentre=False,
    )
    return ModelFile(basis, NAME, TERMS)


def _material(arrays: Arrays, faces: int) -> Int[Tensor, " face"]:
    """The piece of each triangle, counted as in `_COLORS`; -1 for those that are left out."""
    if "material" not in arrays.content:
        return torch.zeros(faces, dtype=torch.int64)
    names, known = arrays.names("material_names"), list(_COLORS)
    number = torch.tensor([known.index(name) if name in known else -1 for name in names])
    return number[arrays.indices("material", (faces,), len(names), 0)]


def _pieces(faces: Int[Tensor, "face 3"], material: Int[Tensor, " face"], count: int) -> _Pieces:
    triangles = (material >= 0).nonzero().squeeze(1)
    part = torch.full((count,), len(_COLORS))
    corners = faces[triangles].flatten()
    part.scatter_reduce_(0, corners, material[triangles].repeat_interleave(3), "amin")  # on a seam the face's
    vertices = (part < len(_COLORS)).nonzero().squeeze(1)
    return _Pieces(triangles, vertices, part[vertices])


def _colors(points: Tensor, part: Tensor) -> Tensor:
    """One colour for each piece, and the iris on the white of the eye, which covers the real one like glass."""
    colors = torch.tensor(list(_COLORS.values()))[part]
    for number, color in enumerate(_COLORS.values()):
        ball = (part == number).nonzero().squeeze(1)
        if color == EYE_WHITE and len(ball):
            outward = torch.nn.functional.normalize(points[ball] - points[ball].mean(dim=0), dim=1)
            colors[ball[outward[:, 2] > _SEEN_IRIS]] = torch.tensor(_IRIS)
    return colors


def _chart(arrays: Arrays, triangles: Int[Tensor, " face"], material: Int[Tensor, " face"]) -> UVMap | None:
    """The texture of the face. Other pieces have their own pictures: here they are one point in the corner."""
    if "uv" not in arrays.content:
        return None
    coordinates = arrays.floats("uv", (-1, 2))
    corners = arrays.indices("uv_faces", (len(material), 3), len(coordinates), 0)
    corners = torch.where(material[:, None] == list(_COLORS).index(_FACE), corners, len(coordinates))[triangles]
    used, numbers = torch.unique(corners, return_inverse=True)
    return UVMap(torch.cat([coordinates, torch.zeros(1, 2)])[used], numbers)
