"""Writes pickles instruction by instruction, so that a test can put any name and any damage into one."""

import io
import struct
import warnings

import torch
from torch import Tensor, nn

PERSISTENT = ("torch_utils.persistence", "_reconstruct_persistent_obj")


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def many(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def call(function: tuple[str, str], *arguments: bytes) -> bytes:
    return name(*function) + many(*arguments) + b"R"


def blob(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def value(data: object) -> bytes:
    """A plain value, a tensor as a parameter, or a module with all it holds."""
    match data:
        case None:
            return b"N"
        case bool():
            return b"\x88" if data else b"\x89"
        case int():
            return b"J" + struct.pack("<i", data)
        case float():
            return b"G" + struct.pack(">d", data)
        case str():
            return b"X" + struct.pack("<I", len(data.encode())) + data.encode()
        case bytes():
            return data  # instructions already
        case list():
            return b"](" + b"".join(map(value, data)) + b"e"
        case tuple():
            return many(*map(value, data))
        case dict():
            return b"}(" + b"".join(value(key) + value(entry) for key, entry in data.items()) + b"u"
        case Tensor():
            return tensor(data)
    raise TypeError(type(data))


def storage(data: Tensor) -> bytes:
    """The bytes that torch itself writes for a storage in its legacy format."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(data.storage(), stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def tensor(data: Tensor, size=None, stride=None, offset: int = 0, stored: bytes | None = None) -> bytes:
    data = data.detach().contiguous()
    return call(
        ("torch._utils", "_rebuild_tensor_v2"),
        call(("torch.storage", "_load_from_bytes"), blob(storage(data) if stored is None else stored)),
        value(offset),
        value(tuple(data.shape) if size is None else size),
        value(tuple(data.stride()) if stride is None else stride),
        value(False),
        call(("collections", "OrderedDict")),
    )


def module_state(network: nn.Module) -> dict:
    """The attributes of a module as a network pickle holds them, children included."""
    return {
        "training": network.training,
        "_parameters": dict(network._parameters),
        "_buffers": dict(network._buffers),
        "_modules": {key: stored_module(child) for key, child in network._modules.items() if child is not None},
    }


def stored_module(network: nn.Module, **state) -> bytes:
    return persistent(type(network).__name__, {**module_state(network), **state})


def persistent(class_name: str, state: dict | bytes, source: str = "raise SystemExit('executed')") -> bytes:
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
    return call(PERSISTENT, value(meta))


def file(contents: dict | bytes) -> bytes:
    return b"\x80\x03" + (contents if isinstance(contents, bytes) else value(contents)) + b"."
