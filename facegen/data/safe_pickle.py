"""Pickles that hold numpy arrays, numbers, text and containers of them, read without executing anything.

SFHQ's features and the train and test lists of Multi-Modal-CelebA-HQ come as pickles.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from facegen.data.files import check_file
from facegen.data.inert import Global, Rules, read

MAX_BYTES = 256 * 2**20  # hundreds of times the largest such file of a published dataset
_MAX_DEPTH = 16  # a container may contain itself
_CODES = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"}


def load_pickle(path: Path) -> Any:
    """What a pickle holds: arrays, numbers, text, and dictionaries, lists and tuples of them.

    Raises ValueError, in one line that names the file, for a damaged one and for one that would do anything else.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path}: {size} bytes, expected a pickle of at most {MAX_BYTES}")
    try:
        check_file(path)
        with path.open("rb") as stream:
            return _plain(read(stream, _ARRAY_RULES), {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected a pickle of arrays, numbers and text") from error


class _DataType:
    """The type of numbers; its state only confirms the byte order."""

    def __init__(self, code: Any, *_options: Any) -> None:
        if type(code) is not str or code not in _CODES:
            raise ValueError(f"a number of type {str(code)[:20]!r}, expected one of {', '.join(sorted(_CODES))}")
        self.dtype = np.dtype(f"<{code}")

    def build(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", "|"):
            raise ValueError("a number is not little-endian")


def _scalar(kind: Any, data: Any) -> float | int | bool:
    if type(kind) is not _DataType or type(data) is not bytes or len(data) != kind.dtype.itemsize:
        raise ValueError("a number is not described by a type and its bytes")
    return np.frombuffer(data, dtype=kind.dtype)[0].item()


class _Array:
    """An array; its numbers come with its state, up to pickle protocol 4."""

    def __init__(self, *_empty: Any) -> None:
        self.array: np.ndarray | None = None

    def build(self, state: Any) -> None:
        match state:
            case (int(), shape, _DataType() as kind, bool(fortran), bytes(data)):
                self.array = _array(data, kind, shape, "F" if fortran else "C")
            case _:
                raise ValueError("an array is not described by its shape, type and bytes")


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> _Array:
    """An array of pickle protocol 5."""
    if type(data) not in (bytes, bytearray) or type(kind) is not _DataType or order not in ("C", "F"):
        raise ValueError("an array is not described by its bytes, type, shape and order")
    made = _Array()
    made.array = _array(data, kind, shape, order)
    return made


def _array(data: bytes | bytearray, kind: _DataType, shape: Any, order: Any) -> np.ndarray:
    if type(shape) is not tuple or not all(type(extent) is int and extent >= 0 for extent in shape):
        raise ValueError("the shape of an array is not a tuple of sizes")
    if len(shape) > 32 or math.prod(shape) * kind.dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {str(shape)[:60]} does not have as many numbers as the file")
    return np.frombuffer(bytes(data), dtype=kind.dtype).reshape(shape, order=order)


def _encoded(text: Any, encoding: Any) -> bytes:
    """Bytes as protocol 2 writes them."""
    if type(text) is not str or encoding != "latin1":
        raise ValueError("bytes are not written as latin1 text")
    return text.encode("latin1")


def _empty(*arguments: Any) -> bytes:
    """No bytes, as protocol 2 writes them."""
    if arguments:
        raise ValueError("bytes are not written as latin1 text")
    return b""


SCALAR_RULES = {
    Global("numpy", "dtype"): _DataType,
    Global("numpy.core.multiarray", "scalar"): _scalar,
    Global("numpy._core.multiarray", "scalar"): _scalar,
}
_ARRAY_RULES = Rules(
    reduce={
        **SCALAR_RULES,
        Global("numpy.core.multiarray", "_reconstruct"): _Array,
        Global("numpy._core.multiarray", "_reconstruct"): _Array,
        Global("numpy.core.numeric", "_frombuffer"): _from_buffer,
        Global("numpy._core.numeric", "_frombuffer"): _from_buffer,
        Global("_codecs", "encode"): _encoded,
        Global("__builtin__", "bytes"): _empty,
    },
    names=frozenset([Global("numpy", "ndarray")]),
)


def _plain(value: Any, made: dict[int, Any], depth: int = 0) -> Any:
    """The same with arrays in the place of their descriptions; what is named many times is made once."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"containers are nested more than {_MAX_DEPTH} deep")
    if isinstance(value, dict | list | tuple):
        if id(value) not in made:
            made[id(value)] = _container(value, made, depth + 1)
        return made[id(value)]
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    if isinstance(value, _Array | _DataType | Global):
        raise ValueError("something is described that is not data")
    return value


def _container(value: dict | list | tuple, made: dict[int, Any], depth: int) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry, made, depth) for key, entry in value.items()}
    return type(value)(_plain(entry, made, depth) for entry in value)
