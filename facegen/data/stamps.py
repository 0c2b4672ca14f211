"""Whether an index still describes the files: sizes, modification times, and the labels they came with."""

import hashlib

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
_LABELS_KEY = b"facegen_labels_sha256"


def labels_stamp(labels: bytes | None) -> str:
    """Hash of `dataset.json`; empty without one."""
    return "" if labels is None else hashlib.sha256(labels).hexdigest()


def with_labels_stamp(table: pa.Table, labels: bytes | None) -> pa.Table:
    """Keep the hash of the labels in a table's schema."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _LABELS_KEY: labels_stamp(labels)})


def stored_labels_stamp(table: pa.Table) -> str:
    """The hash that `with_labels_stamp` kept."""
    return (table.schema.metadata or {}).get(_LABELS_KEY, b"").decode()


def differences(stored: pa.Table, listed: pa.Table) -> list[str]:
    """What differs between an index and the files as listed now, in words: nothing when it is up to date."""
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
    columns = [rows[name].to_pylist() for name in ("offset", "size", "mtime", "codec")]
    return list(zip(*columns, strict=True))
