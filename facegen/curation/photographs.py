"""Raw photographs: which there are, and their pixels."""

import os
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from facegen.curation.stages import Rejection, Row
from facegen.data.headers import ImageError
from facegen.data.images import decode
from facegen.data.labels import LABELS_FILE
from facegen.data.listing import CODECS, list_folder, list_zip
from facegen.data.reader import ImageReader

PLACE = ("uri", "offset", "size", "mtime")  # columns that say where the bytes are and that they are the same
LISTED = pa.schema(
    [("id", pa.string()), ("uri", pa.string()), ("offset", pa.int64()), ("size", pa.int64()), ("mtime", pa.int64())]
)


class Photograph(NamedTuple):
    """Upright RGB pixels, and the path, of a photograph."""

    pixels: UInt8[np.ndarray, "height width 3"]
    path: Path


def list_photographs(root: str | Path) -> tuple[Path, list[Row], int]:
    """The folder that `uri` is relative to, a row for each photograph of a folder (at any depth) or uncompressed zip,
    and how many other files lie there. `name` is the path in that folder or zip.

    A photograph's id is its path without suffix, `/` replaced by `_`; with its suffix where two would have the same.
    Raises ValueError where there is nothing, or no photograph.
    """
    path = Path(root).expanduser().absolute()
    if not path.exists():
        raise ValueError(f"root: {root} does not exist; expected a folder, or an uncompressed zip, of photographs")
    listing = list_folder(path, LABELS_FILE) if path.is_dir() else list_zip(path, LABELS_FILE)
    if not listing.entries:
        formats = ", ".join(suffix[1:] for suffix in CODECS)
        raise ValueError(f"root: {root} holds no photographs ({listing.ignored} other files); expected {formats}")
    base, rows, taken = path if path.is_dir() else path.parent, [], set()
    for entry in listing.entries:
        name = str(PurePosixPath(entry.name).with_suffix("")).replace("/", "_")
        name = entry.name.replace("/", "_") if name in taken else name
        if name in taken:
            raise ValueError(f"root: {root} has two photographs that would both be called {name}; rename one of them")
        taken.add(name)
        place = (os.path.relpath(entry.uri, base), entry.offset, entry.size, entry.mtime)
        rows.append({"id": name, "name": entry.name, **dict(zip(PLACE, place, strict=True))})
    return base, rows, listing.ignored


def read_bytes(row: Row, root: str) -> tuple[bytes, Path]:
    """The file of a row of `list_photographs`, and its path. Raises Rejection where it cannot be read."""
    path = Path(root) / row["uri"]
    offset, size = (np.array([row[name]], dtype=np.int64) for name in ("offset", "size"))
    reader = ImageReader(
        [path.name], np.array([os.fsencode(path)]), offset, size, [CODECS.get(path.suffix.lower(), "")]
    )
    try:
        return reader.read(0), path
    except ImageError as error:
        raise Rejection("unreadable", str(error)) from error


def read_photograph(row: Row, root: str) -> Photograph:
    """Pixels of a row; those of the last one are kept, as the faces of a photograph follow each other."""
    return _read(root, *(row[name] for name in PLACE))


@lru_cache(maxsize=1)
def _read(root: str, *place: Any) -> Photograph:
    data, path = read_bytes(dict(zip(PLACE, place, strict=True)), root)
    return Photograph(decoded(data), path)


def decoded(data: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Upright RGB pixels of any kind of image. Raises Rejection where these bytes are none."""
    try:
        return decode(data, convert=True)
    except ImageError as error:
        raise Rejection("unreadable", str(error)) from error
