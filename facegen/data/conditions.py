"""What comes with every image beside its label: masks, sketches, renders, captions, numbers."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image

from facegen.checkpoint.files import check_file
from facegen.data.headers import ImageError
from facegen.data.images import decode, resize
from facegen.data.masks import CELEBAMASK, FACE_PARSING
from facegen.data.stamps import PATH_COLUMNS

# The order of ids in each column of masks; those of synthetic faces do not tell left from right.
PARTS: dict[str, Sequence[str]] = {
    "mask": CELEBAMASK,
    "segmentation": FACE_PARSING,
    "parts": (),
    "parsing": CELEBAMASK,
}
PICTURES = ("sketch", "render")
TEXTS = ("captions",)


class Conditions:
    """Columns of a recipe's rows as batches, by name.

    Masks are uint8 ids (N, 1, R, R), resized without mixing ids; sketches and renders uint8 (N, 3, R, R); vectors and
    numbers float32 (N, size); captions a list of the texts of each face. With a flipped image come flipped pictures
    and masks in which left and right parts have changed names; captions stay as they are.

    Raises ValueError where a column is missing or null, or has to be flipped and cannot be: numbers.
    """

    def __init__(self, rows: pa.Table, names: Sequence[str], resolution: int, flipped: bool) -> None:
        self.resolution = resolution
        self.values: dict[str, Any] = {}
        for name in names:
            column = _column(rows, name)
            if name in (*PARTS, *PICTURES):
                self.values[name] = np.array([os.fsencode(path) for path in column.to_pylist()], dtype=np.bytes_)
            elif name in TEXTS:
                self.values[name] = column.to_pylist()
            elif flipped:
                raise ValueError(f"conditions: {name} of flipped faces is not known; set mirror=false, or leave it out")
            else:
                self.values[name] = _numbers(column, name)

    def batch(self, rows: NDArray[np.int64], flipped: NDArray[np.bool_]) -> dict[str, Any]:
        """The conditions of rows, of which some come flipped."""
        return {name: self._batch(name, rows, flipped) for name in self.values}

    def _batch(self, name: str, rows: NDArray[np.int64], flipped: NDArray[np.bool_]) -> Any:
        values = self.values[name]
        if name in TEXTS:
            return [values[row] for row in rows.tolist()]
        if name not in (*PARTS, *PICTURES):
            return torch.from_numpy(values[rows])
        pictures = [self._picture(name, os.fsdecode(values[row])) for row in rows.tolist()]
        for place in np.flatnonzero(flipped):
            pictures[place] = _flip(name, pictures[place])
        return torch.from_numpy(np.stack(pictures))

    def _picture(self, name: str, path: str) -> NDArray[np.uint8]:
        try:
            check_file(Path(path))
            data = Path(path).read_bytes()
            if name in PARTS:
                return _ids(data, self.resolution)[None]
            return resize(decode(data, convert=True), self.resolution).transpose(2, 0, 1)
        except (OSError, ValueError) as error:
            raise ImageError(f"{path}: {error}") from error


def _column(rows: pa.Table, name: str) -> pa.Array:
    if name not in rows.column_names:
        known = ", ".join((*PARTS, *PICTURES, *TEXTS))
        raise ValueError(
            f"conditions: the faces have no {name!r}; expected {known} or numbers of their table, which "
            "facegen data index makes from what a dataset ships; captions and sketches: facegen data describe"
        )
    if missing := rows[name].null_count:
        example = rows.filter(rows[name].is_null())["id"][0].as_py()
        raise ValueError(f"conditions: {missing} of {len(rows)} faces have no {name} (first {example}); exclude them")
    if name in PATH_COLUMNS and name not in (*PARTS, *PICTURES):
        raise ValueError(f"conditions: {name} is a file that is not read; expected masks, pictures, texts or numbers")
    return rows[name].combine_chunks()


def _numbers(column: pa.Array, name: str) -> NDArray[np.float32]:
    values = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise ValueError(f"conditions: {name} has values of type {column.type}; expected numbers")
    return values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(column), -1)


def _ids(data: bytes, resolution: int) -> NDArray[np.uint8]:
    """Ids of a mask stored as greyscale or palette, (R, R)."""
    image = Image.open(io.BytesIO(data))
    if image.mode not in ("L", "P"):
        raise ValueError(f"a mask of mode {image.mode}; expected ids, 8-bit greyscale")
    return np.asarray(image.resize((resolution, resolution), Image.Resampling.NEAREST))


def _flip(name: str, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Left to right; the left eye, brow and ear of a mask become the right ones."""
    flipped = picture[:, :, ::-1]
    if name not in PARTS:
        return flipped
    order, table = PARTS[name], np.arange(256, dtype=np.uint8)
    for number, label in enumerate(order):
        other = {"l_": "r_", "r_": "l_"}.get(label[:2], "") + label[2:]
        if other in order:  # l_lip is the lower lip: there is no r_lip
            table[number] = order.index(other)
    return table[flipped]
