"""What ends the making of a synthetic source: labels, the table, and the true numbers in it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegen.checkpoint import atomic_write
from facegen.data import table
from facegen.data.index import build_index
from facegen.data.labels import LABELS_FILE
from facegen.data.synthetic.faces import BLOCK, face_name, part_path

COEFFICIENTS = ("identity", "expression", "albedo", "light")


def finish(root: Path, num_images: int) -> None:
    """Write `dataset.json` and `faces.lance` from the numbers of all blocks."""
    names = [f"images/{face_name(number)}" for number in range(num_images)]
    numbers = _joined(root, num_images)
    labels = [[f"{name}.png", label] for name, label in zip(names, numbers["camera"].tolist(), strict=True)]
    with atomic_write(root / LABELS_FILE) as temporary:
        temporary.write_text(json.dumps({"labels": labels}))
    indexed = build_index(root)
    table.set_columns(indexed.path, _columns(names, numbers))


def _joined(root: Path, num_images: int) -> dict[str, NDArray[np.float32]]:
    """The numbers of all faces in their order."""
    parts = []
    for block in range(-(-num_images // BLOCK)):
        with np.load(part_path(root, block), allow_pickle=False) as arrays:
            parts.append({name: arrays[name] for name in arrays.files})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _vectors(values: NDArray[np.float32]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), pa.float32()), values.shape[1])


def _columns(names: list[str], numbers: dict[str, NDArray[np.float32]]) -> pa.Table:
    """Columns of the table beyond those of every source; landmarks are 68 pairs (x, y) in pixels."""
    masks = [f".masks/{name.removeprefix('images/')}.png" for name in names]
    columns = {"id": pa.array(names), "parts": pa.array(masks), "landmarks": _vectors(numbers["landmarks"])}
    return pa.table(columns | {f"coefficients_{name}": _vectors(numbers[name]) for name in COEFFICIENTS})
