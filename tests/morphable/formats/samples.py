"""Small files in the formats of morphable models: random numbers on a face-like set of points."""

import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import savemat

from facegen.geometry.alignment_points import FIVE_POINTS_3D
from facegen.morphable.model import Basis, UVMap

VERTICES, FACES = 90, 40
BFM_MODES, HIFI3D_MODES = {"idBase": 80, "exBase": 64, "texBase": 80}, {"idBase": 532, "exBase": 45, "texBase": 439}
ICT_PIECES = ("M_Face", "M_ScleraLeft", "M_EyeLashes")


def face_points(seed: int = 0, unit: float = 1.0, shift: tuple[float, float, float] = (0, 0, 0)) -> NDArray[np.float64]:
    """(V, 3) points whose first 68 are landmarks with Deep3DFaceRecon's five points among them.

    In another frame, if `unit` and `shift` say so: decimetres = unit * point + shift.
    """
    points = np.random.default_rng(seed).normal(0, 0.4, (VERTICES, 3))
    left, right, nose, mouth_left, mouth_right = np.array(FIVE_POINTS_3D)
    half = np.array([0.1, 0, 0])
    for corner, eye in ((36, left), (42, right)):
        points[corner], points[corner + 3] = eye - half, eye + half
    points[30], points[48], points[54] = nose, mouth_left, mouth_right
    return (points - np.array(shift)) / unit


def triangles(seed: int = 0, count: int = FACES, vertices: int = VERTICES) -> NDArray[np.int64]:
    """(F, 3) corners, no vertex in more than eight."""
    order = np.concatenate([np.random.default_rng([seed, k]).permutation(vertices) for k in range(3)])
    return order[: 3 * count].reshape(count, 3)


def bfm_variables(seed: int = 0, modes: dict[str, int] | None = None) -> dict[str, NDArray]:
    """The variables of a `BFM_model_front.mat`, as floats from 1."""
    rng = np.random.default_rng([seed, 1])
    tri = triangles(seed)
    around = np.full((VERTICES, 8), FACES)
    for vertex in range(VERTICES):
        own = np.flatnonzero((tri == vertex).any(axis=1))
        around[vertex, : len(own)] = own
    listed = rng.permutation(VERTICES)[:50]
    numbers = {
        "meanshape": face_points(seed).reshape(1, -1),
        "meantex": rng.uniform(50, 200, (1, 3 * VERTICES)),
        **{name: rng.normal(0, 0.05, (3 * VERTICES, count)) for name, count in (modes or BFM_MODES).items()},
        "tri": tri + 1,
        "point_buf": around + 1,
        "keypoints": np.arange(68)[None] + 1,
        "skinmask": rng.uniform(0, 1, (1, VERTICES)),
        "frontmask2_idx": listed[:, None] + 1,
        "tri_mask2": rng.integers(0, 50, (20, 3)) + 1,
    }
    return {name: values.astype(np.float32) for name, values in numbers.items()}


def hifi3d_variables(seed: int = 0) -> dict[str, NDArray]:
    """The variables of HiFi3D++ as FFHQ-UV packs it."""
    rng = np.random.default_rng([seed, 2])
    kept = ("meanshape", "meantex", *HIFI3D_MODES, "tri", "point_buf", "keypoints", "skinmask")
    common = {name: values for name, values in bfm_variables(seed, HIFI3D_MODES).items() if name in kept}
    head = common.pop("tri")
    chart = rng.integers(0, 60, head.shape) + 1
    return common | {
        "head_tri": head,
        "tri": head[:25],
        "vt_list": rng.uniform(0, 1, (60, 2)).astype(np.float32),
        "head_tri_vt": chart,
        "tri_vt": chart[:25],
    }


def write_variables(path: Path, content: dict[str, Any], compressed: bool = True) -> Path:
    savemat(path, content, appendmat=False, do_compression=compressed)
    return path


def same_basis(one: Basis, other: Basis, tolerance: float = 0) -> None:
    """All fields equal, numbers within a tolerance; charts by where each corner lies."""
    for name, mine, theirs in zip(Basis._fields, one, other, strict=True):
        if isinstance(mine, UVMap) and isinstance(theirs, UVMap):
            mine, theirs = mine.coordinates[mine.triangles], theirs.coordinates[theirs.triangles]
        if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
            torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")
        else:
            assert mine == theirs, name


def save_npz(path: Path, content: Mapping[str, NDArray]) -> Path:
    """An .npz under any name."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **content)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return path


def ict_arrays(seed: int = 0, whole: bool = True) -> dict[str, NDArray]:
    """The arrays of a packed ICT-FaceKit, in centimetres; the last 10 vertices are of an eye, 5 before of lashes."""
    rng = np.random.default_rng([seed, 3])
    tri = np.concatenate([triangles(seed, 50, 75), np.arange(75, 80).repeat(3)[:15].reshape(5, 3), eye_faces()])
    content: dict[str, NDArray] = {
        "neutral": face_points(seed, 0.1, (0, -0.05, -0.75)).astype(np.float32),
        "identity": rng.normal(0, 0.1, (6, VERTICES, 3)).astype(np.float16),
        "expression": rng.normal(0, 0.1, (4, VERTICES, 3)).astype(np.float16),
        "expression_names": np.array(["jawOpen", "eyeBlink_L", "eyeBlink_R", "mouthSmile_L"]),
        "faces": tri.astype(np.int32),
        "landmarks68": np.arange(68, dtype=np.int32),
    }
    if not whole:
        return content
    kinds = np.array([0] * 50 + [2] * 5 + [1] * len(eye_faces()), np.uint8)
    chart = rng.integers(0, 70, tri.shape).astype(np.int32)
    uv = rng.uniform(0.1, 1, (70, 2)).astype(np.float32)
    return content | {"material": kinds, "material_names": np.array(ICT_PIECES), "uv": uv, "uv_faces": chart}


def eye_faces() -> NDArray[np.int64]:
    return np.stack([np.arange(80, 88), np.arange(81, 89), np.arange(82, 90)], axis=1)


def write_ict_folder(folder: Path, content: dict[str, NDArray]) -> Path:
    """The same as the folder `FaceXModel`, the two first faces as one polygon with four corners."""
    folder.mkdir()
    neutral = content["neutral"].astype(np.float64)
    _write_obj(folder / "generic_neutral_mesh.obj", neutral, content)
    for number, mode in enumerate(content["identity"]):
        _write_obj(folder / f"identity{number:03d}.obj", neutral + mode.astype(np.float64))
    for name, mode in zip(content["expression_names"], content["expression"], strict=True):
        _write_obj(folder / f"{name}.obj", neutral + mode.astype(np.float64))
    names = content["expression_names"].tolist()
    tables = {"expressions": names, "idx_to_landmark_verts": content["landmarks68"].tolist(), "incompatibilities": []}
    (folder / "vertex_indices.json").write_text(json.dumps(tables))
    return folder


def _write_obj(path: Path, points: NDArray, content: dict[str, NDArray] | None = None) -> None:
    lines = ["mtllib a.mtl", *(f"v {x:.15f} {y:.15f} {z:.15f}" for x, y, z in points)]
    if content is not None:
        lines += [f"vt {u:.9f} {v:.9f}" for u, v in content["uv"]]
        last = None
        for face, chart, kind in zip(content["faces"] + 1, content["uv_faces"] + 1, content["material"], strict=True):
            if kind != last:
                lines.append(f"usemtl {ICT_PIECES[kind]}")
                last = kind
            lines.append("f " + " ".join(f"{a}/{b}" for a, b in zip(face, chart, strict=True)))
    path.write_text("\n".join(lines) + "\n")


def flame_arrays(seed: int = 0) -> dict[str, NDArray]:
    """The arrays of FLAME that count, in metres."""
    rng = np.random.default_rng([seed, 4])
    return {
        "v_template": face_points(seed, 10.0, (0, 0.3, 0.1)),
        "shapedirs": rng.normal(0, 0.001, (VERTICES, 3, 400)),
        "f": triangles(seed).astype(np.uint32),
    }


def embedding(faces: NDArray, seed: int = 0) -> dict[str, NDArray]:
    """Landmarks in random places of random triangles, in the long names of DECA's file."""
    rng = np.random.default_rng([seed, 5])
    weights = rng.dirichlet([1, 1, 1], (1, 68)).astype(np.float32)
    number = rng.integers(0, len(faces), (1, 68))
    outline = rng.integers(0, len(faces), (79, 17))
    around = rng.dirichlet([1, 1, 1], (79, 17))
    outline[0], around[0] = number[0, :17], weights[0, :17]
    return {
        "full_lmk_faces_idx": number,
        "full_lmk_bary_coords": weights,
        "static_lmk_faces_idx": number[0, 17:],
        "static_lmk_bary_coords": weights[0, 17:],
        "dynamic_lmk_faces_idx": outline,
        "dynamic_lmk_bary_coords": around,
    }


def save_wrapped(path: Path, content: dict[str, Any]) -> Path:
    """A dictionary as `numpy.save` stores it."""
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def text2(value: bytes) -> bytes:
    """A byte string as Python 2 pickles it."""
    return b"T" + struct.pack("<I", len(value)) + value


def array2(array: NDArray) -> bytes:
    """An array as Python 2's numpy pickles it with protocol 2."""
    code = array.dtype.str[1:].encode()
    kind = b"cnumpy\ndtype\n(" + text2(code) + b"K\x00K\x01tR"
    kind += b"(K\x03" + text2(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text2(b"b") + b"tR"
    shape = b"(" + b"".join(b"J" + struct.pack("<i", extent) for extent in array.shape) + b"t"
    return empty + b"(K\x01" + shape + kind + b"\x89" + text2(np.ascontiguousarray(array).tobytes()) + b"tb"


def object2(module: str, name: str, attributes: dict[str, bytes]) -> bytes:
    """An object of a class, with attributes that are instructions already."""
    state = b"}(" + b"".join(text2(key.encode()) + value for key, value in attributes.items()) + b"u"
    return f"c{module}\n{name}\n".encode() + b")\x81" + state + b"b"


def chumpy2(array: NDArray) -> bytes:
    """A chumpy array with the bookkeeping that its pickles have."""
    empty_set = b"c__builtin__\nset\n](" + text2(b"x") + b"e\x85R"
    extra = {"_dirty_vars": empty_set, "_itr": b"N", "_depends_on_deps": b"}", "_make_dense": b"\x89"}
    return object2("chumpy.ch", "Ch", {"x": array2(array), **extra})


def flame_pickle(content: dict[str, NDArray], selected: bool = False) -> bytes:
    """A pickle as the published ones: chumpy objects, arrays and a sparse matrix."""
    shape = chumpy2(content["shapedirs"])
    if selected:  # the first half of twice as many modes
        doubled = np.concatenate([content["shapedirs"], -content["shapedirs"]], axis=2)
        index = np.arange(doubled.size).reshape(doubled.shape)[..., :400].ravel()
        extents = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in content["shapedirs"].shape) + b"t"
        shape = object2(
            "chumpy.reordering", "Select", {"a": chumpy2(doubled), "idxs": array2(index), "preferred_shape": extents}
        )
    joints = object2("scipy.sparse.csc", "csc_matrix", {"data": array2(np.ones(2)), "_shape": b"K\x05K\x5a\x86"})
    parts = {
        "v_template": array2(content["v_template"]),
        "shapedirs": shape,
        "f": array2(content["f"]),
        "J_regressor": joints,
        "bs_style": text2(b"lbs"),
        "posedirs": chumpy2(np.zeros((VERTICES, 3, 36))),
    }
    return b"\x80\x02}(" + b"".join(text2(key.encode()) + value for key, value in parts.items()) + b"u."


def save_pickle(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content, 2))
    return path
