"""Pickles that hold numpy arrays, numbers, text and containers of them, read without executing anything.

SFHQ's features, the train and test lists of Multi-Modal-CelebA-HQ and the morphable model FLAME come as pickles.
"""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from facegen.checkpoint.files import check_file
from facegen.checkpoint.inert import Global, Rules, read

MAX_BYTES = 256 * 2**20  # hundreds of times the largest such file of a published dataset
_MAX_DEPTH = 16  # a container may contain itself
_CODES = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"}
_OBJECT = "O8"


class Instance:
    """An object of a class of which only the name is known: its attributes, as data."""

    def __init__(self, class_name: str) -> None:
        self.class_name = class_name
        self.attributes: dict[Any, Any] = {}

    def build(self, state: Any) -> None:
        if type(state) is not dict or self.attributes:
            raise ValueError(f"the {self.class_name} has no single dictionary of attributes")
        self.attributes = state


def load_pickle(path: Path, classes: Collection[Global] = (), skip: int = 0) -> Any:
    """What a pickle holds: arrays, numbers, text, and dictionaries, lists and tuples of them.

    Objects of `classes` become `Instance`s. The pickle begins after `skip` bytes.
    Raises ValueError, in one line that names the file, for a damaged one and for one that would do anything else.
    """
    rules = ARRAY_RULES._replace(new={kind: (lambda name=str(kind): Instance(name)) for kind in classes})
    try:
        check_file(path)
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size} bytes, expected a pickle of at most {MAX_BYTES}")
        with path.open("rb") as stream:
            stream.seek(skip)
            return _plain(read(stream, rules), {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected a pickle of arrays, numbers and text") from error


class _DataType:
    """The type of numbers; its state only confirms the byte order."""

    def __init__(self, code: Any, *_options: Any) -> None:
        if type(code) is not str or code not in {*_CODES, _OBJECT}:
            raise ValueError(f"a number of type {str(code)[:20]!r}, expected one of {', '.join(sorted(_CODES))}")
        self.dtype = np.dtype(object if code == _OBJECT else f"<{code}")

    def build(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", "|"):
            raise ValueError("a number is not little-endian")


def _scalar(kind: Any, data: Any) -> float | int | bool:
    data = _bytes(data)
    if type(kind) is not _DataType or len(data) != kind.dtype.itemsize or kind.dtype.hasobject:
        raise ValueError("a number is not described by a type and its bytes")
    return np.frombuffer(data, dtype=kind.dtype)[0].item()


def _bytes(data: Any) -> bytes:
    """Bytes as Python 3 writes them, or as Python 2 does: as text of the same codes."""
    if type(data) not in (bytes, bytearray, str):
        raise ValueError("numbers are not described by their bytes")
    return data.encode("latin1") if isinstance(data, str) else bytes(data)


class _Array:
    """An array; its numbers come with its state, up to pickle protocol 4.

    An array of one object and no axes, in which `numpy.save` wraps what is no array, is that object.
    """

    def __init__(self, *_empty: Any) -> None:
        self.content: Any = None

    def build(self, state: Any) -> None:
        match state:
            case (int(), (), _DataType() as kind, bool(), [content]) if kind.dtype.hasobject:
                self.content = content
            case (int(), shape, _DataType() as kind, bool(fortran), bytes() | str() as data):
                self.content = _array(_bytes(data), kind, shape, "F" if fortran else "C")
            case _:
                raise ValueError("an array is not described by its shape, type and bytes")


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> _Array:
    """An array of pickle protocol 5."""
    if type(data) not in (bytes, bytearray) or type(kind) is not _DataType or order not in ("C", "F"):
        raise ValueError("an array is not described by its bytes, type, shape and order")
    made = _Array()
    made.content = _array(bytes(data), kind, shape, order)
    return made


def _array(data: bytes, kind: _DataType, shape: Any, order: Any) -> np.ndarray:
    if kind.dtype.hasobject:
        raise ValueError("an array of objects, expected one of numbers")
    if type(shape) is not tuple or not all(type(extent) is int and extent >= 0 for extent in shape):
        raise ValueError("the shape of an array is not a tuple of sizes")
    if len(shape) > 32 or math.prod(shape) * kind.dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {str(shape)[:60]} does not have as many numbers as the file")
    return np.frombuffer(data, dtype=kind.dtype).reshape(shape, order=order)


def _members(values: Any = ()) -> Any:
    """The members of a set as the list in which they are stored."""
    if type(values) not in (list, tuple):
        raise ValueError("a set is not made from a list")
    return values


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
SET_RULES = {Global("builtins", "set"): _members, Global("__builtin__", "set"): _members}
ARRAY_RULES = Rules(
    reduce={
        **SCALAR_RULES,
        **SET_RULES,
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
    if isinstance(value, dict | list | tuple | Instance):
        if id(value) not in made:
            made[id(value)] = _container(value, made, depth + 1)
        return made[id(value)]
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, _Array) and value.content is not None:
        return _plain(value.content, made, depth + 1)
    if isinstance(value, _Array | _DataType | Global):
        raise ValueError("something is described that is not data")
    return value


def _container(value: dict | list | tuple | Instance, made: dict[int, Any], depth: int) -> Any:
    if isinstance(value, Instance):
        filled = Instance(value.class_name)
        filled.attributes = _container(value.attributes, made, depth)
        return filled
    if isinstance(value, dict):
        return {key: _plain(entry, made, depth) for key, entry in value.items()}
    return type(value)(_plain(entry, made, depth) for entry in value)
