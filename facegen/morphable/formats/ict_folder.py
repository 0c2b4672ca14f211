"""ICT-FaceKit's own folder `FaceXModel`: one OBJ mesh for each mode, and `vertex_indices.json`."""

import json
from pathlib import Path

import numpy as np

from facegen.checkpoint.files import check_file
from facegen.morphable.formats.arrays import Arrays, ModelFile
from facegen.morphable.formats.ict import ict_model
from facegen.morphable.formats.obj import read_mesh, read_points

NEUTRAL, TABLES = "generic_neutral_mesh.obj", "vertex_indices.json"
_LANDMARKS, _EXPRESSIONS = "idx_to_landmark_verts", "expressions"


def read_ict_folder(folder: str | Path) -> ModelFile:
    """The model of a folder; some two hundred meshes are read, in half a minute.

    Modes are the meshes less the neutral one. `expressions` of the JSON names those of the expressions; identities are
    identity000.obj, identity001.obj and so on.
    """
    folder = Path(folder)
    landmarks, expressions = _tables(folder / TABLES)
    mesh = read_mesh(folder / NEUTRAL)
    identities = sorted(path.stem for path in folder.glob("identity[0-9][0-9][0-9].obj"))
    if not identities or not expressions:
        raise ValueError(f"{folder}: has no identity000.obj or no expressions; download FaceXModel again")
    content = {
        "neutral": mesh.points,
        "identity": _modes(folder, identities, mesh.points),
        "expression": _modes(folder, expressions, mesh.points),
        "expression_names": np.array(expressions),
        "faces": mesh.faces,
        "landmarks68": np.array(landmarks),
        "material": mesh.material,
        "material_names": np.array(mesh.material_names),
    }
    chart = {"uv": mesh.uv, "uv_faces": mesh.uv_faces} if len(mesh.uv) else {}
    return ict_model(Arrays(folder, content | chart))


def _modes(folder: Path, names: list[str], neutral: np.ndarray) -> np.ndarray:
    modes = np.empty((len(names), *neutral.shape), np.float32)
    for number, name in enumerate(names):
        points = read_points(folder / f"{name}.obj")
        if points.shape != neutral.shape:
            got = f"{folder / name}.obj: has {len(points)} vertices"
            raise ValueError(f"{got}, expected the {len(neutral)} of {NEUTRAL}; download FaceXModel again")
        modes[number] = points - neutral
    return modes


def _tables(path: Path) -> tuple[list[int], list[str]]:
    try:
        check_file(path)
        tables = json.loads(path.read_text(encoding="utf-8"))
        landmarks, expressions = tables[_LANDMARKS], tables[_EXPRESSIONS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: not the tables of ICT-FaceKit ({reason}); download FaceXModel again") from error
    numbers = isinstance(landmarks, list) and all(type(vertex) is int for vertex in landmarks)
    words = isinstance(expressions, list) and all(type(name) is str and Path(name).name == name for name in expressions)
    if not numbers or not words:
        raise ValueError(f"{path}: {_LANDMARKS} or {_EXPRESSIONS} are no lists of vertices and names")
    return landmarks, expressions
