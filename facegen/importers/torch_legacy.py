"""Tensors as `torch.save` wrote them before its zip format: the raw data sits inside nested pickles."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from facegen.checkpoint.inert import Global, Rules, read

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {
    Global("torch", "FloatStorage"): torch.float32,
    Global("torch", "DoubleStorage"): torch.float64,
    Global("torch", "HalfStorage"): torch.float16,
    Global("torch", "BFloat16Storage"): torch.bfloat16,
    Global("torch", "LongStorage"): torch.int64,
    Global("torch", "IntStorage"): torch.int32,
    Global("torch", "BoolStorage"): torch.bool,
    Global("torch", "ByteStorage"): torch.uint8,
}


class _Reference(NamedTuple):
    """What a storage says of itself before its data come."""

    dtype: torch.dtype
    key: str
    numel: int


def _reference(persistent_id: Any) -> _Reference:
    match persistent_id:
        case ("storage", Global() as kind, str(key), str(), int(numel), None) if kind in STORAGES and numel >= 0:
            return _Reference(STORAGES[kind], key, numel)
    raise ValueError("a storage is not described as torch.save does")


_STORAGE_RULES = Rules(names=frozenset(STORAGES), persistent=_reference)


class StorageReader:
    """Reads stored storages, no more bytes of them than the file has: the same bytes could be named many times."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def read(self, data: Any) -> Tensor:
        """The 1-D tensor in the bytes of one storage: headers, the list of keys, a count, little-endian data."""
        if type(data) is not bytes:
            raise ValueError(f"a storage is a {type(data).__name__}, expected bytes")
        self.left -= len(data)
        if self.left < 0:
            raise ValueError("the storages are larger than the file")
        stream = io.BytesIO(data)
        reference = _read_header(stream)
        header, raw = stream.read(8), memoryview(data)[stream.tell() :]
        size = reference.numel * torch.empty([], dtype=reference.dtype).element_size()
        if len(header) != 8 or struct.unpack("<q", header)[0] != reference.numel or len(raw) != size:
            raise ValueError(f"a storage holds {len(raw)} bytes, expected {size}")
        if reference.numel == 0:
            return torch.empty([0], dtype=reference.dtype)
        return torch.frombuffer(bytearray(raw), dtype=reference.dtype)


def _read_header(stream: io.BytesIO) -> _Reference:
    if read(stream) != _MAGIC or read(stream) != _VERSION:
        raise ValueError("a storage is not in the legacy format of torch.save")
    system = read(stream)
    if type(system) is not dict or system.get("little_endian") is not True:
        raise ValueError("a storage is not little-endian")
    reference, keys = read(stream, _STORAGE_RULES), read(stream)
    if type(reference) is not _Reference or keys != [reference.key]:
        raise ValueError("a storage does not list itself, and itself alone")
    return reference


def _is_extent(value: Any) -> bool:
    return type(value) is tuple and all(type(entry) is int and entry >= 0 for entry in value)


def rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, _requires_grad: Any, _hooks: Any, _metadata: Any = None
) -> Tensor:
    """A view of a storage, which must lie inside it and cannot be larger."""
    valid = isinstance(storage, Tensor) and type(offset) is int and offset >= 0
    if not valid or not _is_extent(size) or not _is_extent(stride) or len(size) != len(stride):
        raise ValueError("a tensor is not described by a storage, an offset, a size and a stride")
    numel = math.prod(size)
    last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True)) if numel else 0
    if numel > storage.numel() or (numel and last >= storage.numel()):
        raise ValueError(f"a tensor of size {size} reaches outside its storage of {storage.numel()} elements")
    return storage.as_strided(size, stride, offset if numel else 0)


def rebuild_parameter(tensor: Any, _requires_grad: Any, _hooks: Any) -> Tensor:
    """A parameter as its tensor; which tensors are parameters is known from where they stand."""
    if not isinstance(tensor, Tensor):
        raise ValueError("a parameter is not a tensor")
    return tensor


def tensor_rules(limit: int) -> dict[Global, Callable[..., object]]:
    """Rules for the tensors of a file of `limit` bytes."""
    return {
        Global("torch.storage", "_load_from_bytes"): StorageReader(limit).read,
        Global("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        Global("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    }
