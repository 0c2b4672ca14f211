"""Whether an index still describes the files: sizes, modification times, and the labels they came with."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

INDEX_COLUMNS = {
    "id": pa.string(),
    "uri": pa.string(),  # relative to the folder that the table describes, so that both can move together
    "offset": pa.int64(),
    "size": pa.int64(),
    "mtime": pa.int64(),
    "codec": pa.string(),
    "width": pa.int32(),  # null, with the four below, where the header cannot be read
    "height": pa.int32(),
    "mode": pa.string(),
    "bits": pa.int8(),
    "orientation": pa.int8(),
}
LABEL_COLUMNS = ("camera", "label")
# Files that belong to a face; like `uri` relative to the folder of the table.
PATH_COLUMNS = ("mask", "segmentation", "parts", "parsing", "sketch", "render", "latent")
_STAMP_COLUMNS = ("offset", "size", "mtime", "codec")
_STAMP, _SHIPPED, _WHOLE = b"facegen_labels_sha256", b"facegen_shipped", b"facegen_whole"


def metadata_stamp(labels: bytes | None, files: Sequence[Path], home: Path) -> str:
    """Hash of `dataset.json` and of the sizes and times of the other files of a dataset; empty without any."""
    digest = hashlib.sha256(labels or b"")
    for path in sorted(files):
        status = path.stat() if path.exists() else None
        size, time = (status.st_size * path.is_file(), status.st_mtime_ns) if status else (-1, -1)
        digest.update(f"\0{os.path.relpath(path, home)}\0{size}\0{time}".encode())
    return digest.hexdigest() if labels is not None or files else ""


def with_stamp(table: pa.Table, stamp: str, shipped: Sequence[str], whole: bool) -> pa.Table:
    """Keep in a table's schema that hash, which columns the dataset ships, and whether all of that could be read."""
    kept = {_STAMP: stamp, _SHIPPED: json.dumps(list(shipped)), _WHOLE: str(whole)}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **kept})


def stored_stamp(table: pa.Table) -> str:
    """The hash that `with_stamp` kept."""
    return _stored(table, _STAMP)


def stored_shipped(table: pa.Table) -> list[str]:
    """The columns that came with the dataset and not from stages of curation."""
    return json.loads(_stored(table, _SHIPPED) or "[]")


def known_whole(table: pa.Table, stamp: str) -> bool:
    """Whether a table holds all of what ships beside the images, as it is now."""
    return _stored(table, _STAMP) == stamp and _stored(table, _WHOLE) == "True"


def _stored(table: pa.Table, key: bytes) -> str:
    return (table.schema.metadata or {}).get(key, b"").decode()


def differences(stored: pa.Table, listed: pa.Table) -> list[str]:
    """What differs between an index and the files as listed now, in words: nothing when it is up to date."""
    columns = ["id", *_STAMP_COLUMNS]
    if stored.select(columns).equals(listed.select(columns)):  # the usual case, without a Python object per value
        return []
    before, now = set(stored["id"].to_pylist()), set(listed["id"].to_pylist())
    reasons = [f"{len(now - before)} new images"] * bool(now - before)
    reasons += [f"{len(before - now)} images gone"] * bool(before - now)
    if changed := sum(~unchanged(stored, listed)) - len(now - before):
        reasons.append(f"{changed} images changed")
    return reasons


def unchanged(stored: pa.Table, listed: pa.Table) -> np.ndarray:
    """For each listed image, whether the index has it with the same place, size and modification time."""
    return np.array([stamp == known for stamp, known in zip(_stamps(listed), _known(stored, listed), strict=True)])


def _known(stored: pa.Table, listed: pa.Table) -> list[tuple | None]:
    known = dict(zip(stored["id"].to_pylist(), _stamps(stored), strict=True))
    return [known.get(name) for name in listed["id"].to_pylist()]


def _stamps(rows: pa.Table) -> list[tuple]:
    columns = [rows[name].to_pylist() for name in _STAMP_COLUMNS]
    return list(zip(*columns, strict=True))
