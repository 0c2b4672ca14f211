"""Deep3DFaceRecon's results, one .mat a face: float32 rows `id`, `exp`, `tex`, `angle`, `gamma`, `trans`, and `lm68`.

`lm68` are the 68 landmarks in the crop of 224 pixels that the network saw, 223 - y of those that the model projects:
y counts from the top, and a pixel's centre has whole coordinates (`geometry.alignment_points.flip_rows` converts).
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facegen.checkpoint.files import check_file
from facegen.morphable.coefficients import Layout
from facegen.morphable.formats.matlab import parse_mat, write_mat

NAMES = ("id", "exp", "tex", "angle", "gamma", "trans")  # in the order of the coefficients
SIZES: dict[str, int] = dict(zip(NAMES, Layout().sizes, strict=True))  # of the Basel Face Model's
MOST_BYTES = 1 << 20  # a file of the Basel Face Model has two thousand, of HiFi3D++ six thousand
_MOST_UNPACKED = 1 << 22
_LANDMARKS = (68, 2)


class Reconstruction(NamedTuple):
    """One .mat file: K coefficients as stored, in double precision, and (68, 2) landmarks in the 224 crop, y down."""

    coefficients: NDArray[np.float64]
    landmarks: NDArray[np.float32]


def read_reconstruction(path: str | Path, layout: Layout | None = None) -> Reconstruction:
    """Read a file of a model with `layout` (default: the Basel Face Model, 257 coefficients).

    Raises ValueError, in one line that names the file, where it is none, of another model, or not finite.
    """
    try:
        check_file(Path(path))
        with Path(path).open("rb") as file:
            return parse_reconstruction(file.read(MOST_BYTES + 1), layout)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_reconstruction(data: bytes, layout: Layout | None = None) -> Reconstruction:
    """What the bytes of a file hold; nothing in it is executed. Raises ValueError, in words that name no file."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"{len(data)} bytes, expected some thousands")
    content = parse_mat(data, _MOST_UNPACKED, (*NAMES, "lm68"))
    sizes = (layout or Layout()).sizes
    parts = [_row(content, name, size) for name, size in zip(NAMES, sizes, strict=True)]
    landmarks = np.squeeze(content.get("lm68", np.empty(0)))
    if landmarks.dtype.kind not in "fiu" or landmarks.shape != _LANDMARKS or not np.isfinite(landmarks).all():
        raise ValueError("'lm68' must be 68 finite pairs (x, y)")
    return Reconstruction(np.concatenate(parts), landmarks.astype(np.float32))


def _row(content: dict[str, Any], name: str, size: int) -> NDArray[np.float64]:
    values = content.get(name)
    if values is None:
        raise ValueError(f"no variable {name!r}")
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.size != size:
        got = f"{values.size} of type {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
        raise ValueError(f"{name!r} must be {size} numbers, got {got}; coefficients belong to one morphable model")
    if not np.isfinite(values).all():
        raise ValueError(f"{name!r} is not finite")
    return values.astype(np.float64).ravel()


def write_reconstruction(
    path: str | Path, coefficients: ArrayLike, landmarks: ArrayLike, layout: Layout | None = None
) -> None:
    """Write one face as Deep3DFaceRecon does, whole or not at all.

    coefficients: (K,). landmarks: (68, 2), counted as the module's text says. Raises ValueError for other shapes and
    for numbers that are not finite.
    """
    layout = layout or Layout()
    row, points = np.asarray(coefficients, dtype=np.float32), np.asarray(landmarks, dtype=np.float32)
    if row.shape != (layout.total,) or points.shape != _LANDMARKS:
        got = f"coefficients of shape {row.shape} and landmarks of shape {points.shape}"
        raise ValueError(f"{path}: got {got}, expected ({layout.total},) and {_LANDMARKS}")
    if not (np.isfinite(row).all() and np.isfinite(points).all()):
        raise ValueError(f"{path}: got numbers that are not finite; leave out faces that were not fitted")
    parts = np.split(row, np.cumsum(layout.sizes)[:-1])
    content = {name: part[None] for name, part in zip(NAMES, parts, strict=True)}
    write_mat(path, content | {"lm68": points[None]})
