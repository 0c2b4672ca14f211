"""MATLAB files (version 5), read as data and within bounds: a compressed variable may unpack to a thousandfold."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegen.checkpoint import atomic_write
from facegen.checkpoint.files import check_file
from facegen.morphable.formats.arrays import MAX_BYTES, Arrays

MAGIC = b"MATLAB 5.0 MAT-file"
NEWER_MAGIC = b"MATLAB 7.3 MAT-file"
_HEADER, _TAG = 128, struct.Struct("<II")
_COMPRESSED, _MATRIX = 15, 14
_PORTION = 1 << 22
_DESCRIPTION, _DESCRIPTION_SIZE = MAGIC + b", facegen", 116  # the header's text


def read_mat(path: Path) -> Arrays:
    """The variables of a .mat file. Raises ValueError, in one line that names it, for what is none or too large."""
    try:
        check_file(path)
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size} bytes, expected a MATLAB file of at most {MAX_BYTES}")
        content = parse_mat(path.read_bytes(), MAX_BYTES)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Arrays(path, content)


def parse_mat(data: bytes, most: int, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The variables (all, or those of `names` that are there) in the bytes of a .mat file.

    They may unpack to `most` bytes together. Raises ValueError, in words that name no file.
    """
    from scipy.io import loadmat  # takes a quarter of a second

    _check_size(data, most)
    try:
        content = loadmat(io.BytesIO(data), variable_names=names)
    except Exception as error:  # scipy's reader raises whatever its parsers raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"not a readable MATLAB file of {len(data)} bytes ({reason})") from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _check_size(data: bytes, most: int) -> None:
    """Raise ValueError unless it is a file of version 5 whose variables unpack to at most `most` bytes."""
    if data.startswith(NEWER_MAGIC):
        raise ValueError("a MATLAB 7.3 file (HDF5), expected version 5; save it with save(..., '-v7')")
    if not data.startswith(MAGIC) or data[126:128] != b"IM":
        raise ValueError(f"not a readable MATLAB file of {len(data)} bytes (it does not begin as one of version 5)")
    position, left = _HEADER, most
    while position + _TAG.size <= len(data):
        kind, size = _TAG.unpack_from(data, position)
        if kind not in (_COMPRESSED, _MATRIX):
            raise ValueError(f"not a readable MATLAB file of {len(data)} bytes (damaged at byte {position})")
        position += _TAG.size
        left -= _unpacked(memoryview(data)[position : position + size], left) if kind == _COMPRESSED else size
        if left < 0:
            raise ValueError(f"its variables unpack to more than {most} bytes; no such file is that large")
        position += size


def _unpacked(packed: memoryview, most: int) -> int:
    """How many bytes a compressed variable unpacks to; counting ends above `most`."""
    stream, count = zlib.decompressobj(), 0
    try:
        for start in range(0, len(packed), _PORTION):
            rest = bytes(packed[start : start + _PORTION])
            while rest and count <= most:
                count += len(stream.decompress(rest, _PORTION))
                rest = stream.unconsumed_tail
    except zlib.error as error:
        raise ValueError(f"not a readable MATLAB file ({error})") from error
    return count


def write_mat(path: str | Path, content: Mapping[str, np.ndarray]) -> None:
    """Write arrays as variables of a compressed .mat file; the same arrays give the same bytes."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, dict(content), do_compression=True)
    buffer.seek(0)
    buffer.write(_DESCRIPTION.ljust(_DESCRIPTION_SIZE))  # in place of the date
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
