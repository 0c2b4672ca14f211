"""Wavefront OBJ meshes as morphable models ship them: points, texture points and polygons by material."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facegen.checkpoint.files import check_file

MAX_BYTES = 2**28


class Mesh(NamedTuple):
    """Polygons are cut into triangles around their first corner; indices count from 0. No texture: `uv_faces` is empty.

    `material` is each triangle's entry of `material_names`.
    """

    points: NDArray[np.float64]  # (V, 3)
    uv: NDArray[np.float64]  # (T, 2)
    faces: NDArray[np.int64]  # (F, 3)
    uv_faces: NDArray[np.int64]  # (F, 3) or (0, 3)
    material: NDArray[np.int64]  # (F,)
    material_names: tuple[str, ...]


def read_points(path: Path) -> NDArray[np.float64]:
    """Only the points (V, 3) of a mesh."""
    return _numbers(path, [line[2:] for line in _lines(path) if line.startswith("v ")], 3)


def read_mesh(path: Path) -> Mesh:
    """A whole mesh. Raises ValueError, in one line that names the file, for what is none."""
    lines = _lines(path)
    points = _numbers(path, [line[2:] for line in lines if line.startswith("v ")], 3)
    uv = _numbers(path, [line[3:] for line in lines if line.startswith("vt ")], 2)
    corners: list[tuple[int, int]] = []
    material: list[int] = []
    names: list[str] = []
    try:
        for line in lines:
            if line.startswith("usemtl "):
                names.append(line[7:].strip())
            elif line.startswith("f "):
                triangles = _triangles(line)
                corners += triangles
                material += [max(len(names) - 1, 0)] * (len(triangles) // 3)
    except ValueError as error:
        raise ValueError(f"{path}: a polygon that cannot be read ({error}); download it again") from error
    known = tuple(dict.fromkeys(names)) or ("",)
    number = np.array([known.index(name) for name in names or [""]])
    table = np.array(corners, dtype=np.int64).reshape(-1, 3, 2) - 1
    faces, uv_faces = table[..., 0], table[..., 1]
    return Mesh(points, uv, faces, uv_faces if len(uv) else uv_faces[:0], number[material], known)


def _lines(path: Path) -> list[str]:
    try:
        check_file(path)
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size} bytes, expected a mesh of at most {MAX_BYTES}")
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _numbers(path: Path, rows: list[str], columns: int) -> NDArray[np.float64]:
    try:
        table = np.array(" ".join(rows).split(), dtype=np.float64).reshape(len(rows), -1)
    except ValueError as error:
        raise ValueError(f"{path}: not a readable OBJ mesh ({error}); download it again") from error
    if len(rows) and table.shape[1] < columns:
        raise ValueError(f"{path}: points of {table.shape[1]} numbers, expected {columns}")
    return table[:, :columns] if len(rows) else np.zeros((0, columns))


def _triangles(line: str) -> list[tuple[int, int]]:
    """Corners (point, texture point) of the triangles of one polygon, counted from 1."""
    corners = [(f"{word}//").split("/")[:2] for word in line.split()[1:]]
    polygon = [(int(point), int(texture or 1)) for point, texture in corners]
    return [corner for pair in pairwise(polygon[1:]) for corner in (polygon[0], *pair)]
