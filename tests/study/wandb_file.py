"""Reads the records of a W&B run file (`run-*.wandb`) as wandb's own protocol buffers.

The file is a LevelDB log: a header of seven bytes, then blocks of 32 KiB with chunks of records, each chunk with a
checksum (4 bytes), a length (2) and a type (1: whole, 2: first, 3: middle, 4: last part of a record).
"""

import json
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

_HEADER, _BLOCK, _CHUNK = 7, 32768, 7


def records(path: Path) -> Iterator[Any]:
    """All records of a run file, as wandb.proto.wandb_internal_pb2.Record."""
    messages: Any = import_module("wandb.proto.wandb_internal_pb2")
    content = path.read_bytes()
    assert content[:4] == b":W&B"
    place, parts = _HEADER, b""
    while place + _CHUNK <= len(content):
        left = _BLOCK - place % _BLOCK
        if left < _CHUNK:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + _CHUNK : place + _CHUNK + length]
        place += _CHUNK + length
        if kind in (1, 4):
            record = messages.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def history(path: Path) -> dict[str, Any]:
    """Everything that was logged with `run.log`, by key."""
    found = {}
    for record in records(path):
        for item in record.history.item:
            found[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return found
