"""The procedural head on disk: an npz of plain arrays, cached under the hash of its code."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from facegen.checkpoint import atomic_write
from facegen.morphable.procedural.model import ProceduralHead, SparseModes, build_head


def source_fingerprint() -> str:
    """Hash of the code that makes the head: a stored head is good for exactly this code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _flatten(head: ProceduralHead) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in head._asdict().items():
        if isinstance(value, SparseModes):
            flat |= {
                f"{name}/{key}": json.dumps(part) if key == "names" else part for key, part in value._asdict().items()
            }
        else:
            flat[name] = value
    return flat


def save_head(head: ProceduralHead, path: Path) -> None:
    """Write a head as an npz of plain arrays."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **_flatten(head))


def read_head(path: Path) -> ProceduralHead:
    """Read what `save_head` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        flat = {name: arrays[name] for name in arrays.files}
    for group in ("identity", "expression", "albedo"):
        parts = {key: flat.pop(f"{group}/{key}") for key in SparseModes._fields}
        parts["names"] = tuple(json.loads(str(parts["names"])))
        flat[group] = SparseModes(**parts)
    return ProceduralHead(**flat)


def load_head(folder: Path, detail: float = 1.0) -> ProceduralHead:
    """Read the head from a cache folder, making it there on first use; without a writable folder it is made anew."""
    path = folder / f"procedural_head_{source_fingerprint()}_{detail:g}.npz"
    if path.exists():
        return read_head(path)
    head = build_head(detail)
    with suppress(OSError):
        save_head(head, path)
    return head
