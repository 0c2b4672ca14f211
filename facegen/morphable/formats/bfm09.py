"""The packing step: from the Basel Face Model as its authors distribute it to what Deep3DFaceRecon computes with.

Shape and albedo come from `01_MorphableModel.mat` (Paysan et al. 2009; 53490 vertices, 199 modes each), expressions
from `Exp_Pca.bin` and `std_exp.txt` (Guo et al. 2018; the 53215 vertices without the mouth's inside). Of both the
vertices of the face are kept (35709), and the first 80, 64 and 80 modes, times their standard deviations.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from facegen.checkpoint.files import check_file
from facegen.morphable.formats.arrays import MAX_BYTES, Arrays
from facegen.morphable.formats.bfm09_tables import FILES, Tables, packed_tables, read_tables
from facegen.morphable.formats.matlab import read_mat

MODEL, EXPRESSIONS, DEVIATIONS = "01_MorphableModel.mat", "Exp_Pca.bin", "std_exp.txt"
NUM_IDENTITY, NUM_EXPRESSION, NUM_ALBEDO = 80, 64, 80
_LONGEST_TEXT = 1 << 16
_MICROMETRES = 1e5  # in a decimetre


class Expressions(NamedTuple):
    """`Exp_Pca.bin`: the mean, which the packed model does not use, and K modes over the vertices."""

    mean: Float32[np.ndarray, "vertex 3"]
    modes: Float32[np.ndarray, "mode vertex 3"]


def read_expressions(path: str | Path) -> Expressions:
    """`Exp_Pca.bin`: an int32 K, then 3V floats of the mean, then 3V floats of each of K modes."""
    path = Path(path)
    size = _file_size(path)
    with path.open("rb") as file:
        count = int.from_bytes(file.read(4), "little", signed=True)
        values = (size - 4) // 4
        if not 0 < count <= 1000 or size % 4 or values == 0 or values % (3 * (count + 1)):
            raise ValueError(f"{path}: {size} bytes do not hold a mean and {count} modes; download it again")
        numbers = np.fromfile(file, "<f4").reshape(count + 1, -1, 3)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{path}: has numbers that are not finite; download it again")
    return Expressions(numbers[0], numbers[1:])


def _file_size(path: Path) -> int:
    try:
        check_file(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{path}: {reason}; expected the expressions that come with Deep3DFaceRecon") from error
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path}: {size} bytes, expected at most {MAX_BYTES}; download it again")
    return size


def read_deviations(path: str | Path) -> Float32[np.ndarray, " mode"]:
    """`std_exp.txt`: the standard deviations of the expressions, as text."""
    _file_size(Path(path))
    try:
        with Path(path).open() as file:
            found = np.array(file.read(_LONGEST_TEXT).split(), dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected numbers with spaces between them") from error
    if len(found) < NUM_EXPRESSION or not np.isfinite(found).all():
        raise ValueError(f"{path}: {len(found)} numbers, expected at least {NUM_EXPRESSION} finite ones")
    return found.astype(np.float32)


def pack_folder(folder: str | Path) -> dict[str, np.ndarray]:
    """`pack_bfm09` of the files of Deep3DFaceRecon's folder `BFM`, under their published names."""
    folder = Path(folder)
    needed = (MODEL, EXPRESSIONS, DEVIATIONS, *FILES)
    if missing := [name for name in needed if not (folder / name).is_file()]:
        raise ValueError(
            f"{folder}: has no {', '.join(missing)}; the raw Basel Face Model needs {', '.join(needed)} in one folder: "
            "01_MorphableModel.mat is the Basel Face Model, the others come with Deep3DFaceRecon"
        )
    return pack_bfm09(folder / MODEL, folder / EXPRESSIONS, folder / DEVIATIONS, read_tables(folder))


def pack_bfm09(
    model: str | Path, expressions: str | Path, deviations: str | Path, tables: Tables
) -> dict[str, NDArray]:
    """The variables of `BFM_model_front.mat` from the raw files (`bfm.write_bfm` writes, `bfm.bfm_model` reads them).

    1. Modes are multiplied with their standard deviations: coefficients count those. The first 80, 64, 80 are kept.
    2. Shape and expression are divided by 1e5: micrometres become decimetres.
    3. The rows of the vertices of the face are taken, from two different numberings.
    """
    raw = read_mat(Path(model))
    mean = raw.points("shapeMU").numpy()
    moved = read_expressions(expressions)
    _check_rows(raw.path, tables.shape_vertices, len(mean))
    _check_rows(Path(expressions), tables.expression_vertices, len(moved.mean))
    spread = read_deviations(deviations)[:NUM_EXPRESSION, None, None]
    if len(moved.modes) < NUM_EXPRESSION:
        raise ValueError(f"{expressions}: {len(moved.modes)} modes, expected at least {NUM_EXPRESSION}")
    expression = moved.modes[:NUM_EXPRESSION, tables.expression_vertices] * spread
    return {
        "meanshape": mean[tables.shape_vertices].reshape(1, -1) / np.float32(_MICROMETRES),
        "meantex": raw.floats("texMU", (mean.size,)).numpy().reshape(-1, 3)[tables.shape_vertices].reshape(1, -1),
        "idBase": _scaled(raw, "shape", tables.shape_vertices, NUM_IDENTITY, len(mean)) / np.float32(_MICROMETRES),
        "exBase": expression.reshape(NUM_EXPRESSION, -1).T / np.float32(_MICROMETRES),
        "texBase": _scaled(raw, "tex", tables.shape_vertices, NUM_ALBEDO, len(mean)),
        **packed_tables(tables),
    }


def _scaled(raw: Arrays, kind: str, rows: NDArray, count: int, vertices: int) -> NDArray[np.float32]:
    """(3V, K) modes at the rows, times their deviations."""
    columns = raw.floats(f"{kind}PC", (3 * vertices, -1)).numpy()
    deviations = raw.floats(f"{kind}EV", (columns.shape[1],)).numpy()
    if columns.shape[1] < count:
        raise ValueError(f"{raw.path}: {kind}PC has {columns.shape[1]} modes, expected at least {count}")
    kept = columns.reshape(vertices, 3, -1)[rows, :, :count].reshape(-1, count)
    return kept * deviations[:count]


def _check_rows(path: Path, rows: NDArray, count: int) -> None:
    if len(rows) == 0 or rows.max() >= count:
        highest = rows.max() + 1 if len(rows) else 0
        raise ValueError(f"{path}: {count} vertices, but the tables count to {highest}; they belong to another model")
