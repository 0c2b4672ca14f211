"""Rows of a stream on the disk: one file per shard, whole or not there, so that a killed evaluation goes on."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from facegen.checkpoint import atomic_write

SHARD = 128  # rows in a file: the unit of resuming and of sharing work
Arrays = dict[str, np.ndarray]


def key_of(about: dict[str, Any]) -> str:
    """sha256 of plain values: the name under which what depends on them, and on nothing else, is kept."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


class Store:
    """Shards of the stream that `about` (plain values, everything that its rows depend on) describes.

    A shard is the file `<folder>/<key>/<number>.npz`, whose arrays have one row for each row of the stream. Zip files
    carry checksums, so that a damaged one is noticed; it counts as missing.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.about, self.key = about, key_of(about)
        self.folder = folder / self.key

    def path(self, number: int) -> Path:
        """File of a shard."""
        return self.folder / f"{number:05d}.npz"

    def describe(self) -> None:
        """Write beside the shards what they are, for people."""
        if not (self.folder / "about.json").exists():
            with atomic_write(self.folder / "about.json") as temporary:
                temporary.write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")

    def read(self, number: int, rows: int) -> Arrays | None:
        """The first `rows` rows of a shard; None where it is missing, damaged or shorter."""
        try:
            with np.load(self.path(number), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        if not arrays or any(len(array) < rows for array in arrays.values()):
            return None
        return {name: array[:rows] for name, array in arrays.items()}

    def write(self, number: int, arrays: Arrays) -> None:
        """Keep a shard."""
        with atomic_write(self.path(number)) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)  # type: ignore[arg-type]

    def missing(self, rows: int) -> list[int]:
        """Numbers of the shards that the first `rows` rows need and that cannot be read."""
        return [number for number in range(num_shards(rows)) if self.read(number, shard_rows(number, rows)) is None]

    def all(self, rows: int) -> Arrays:
        """The first `rows` rows of the stream. Raises ValueError where a shard is missing."""
        shards = [self.read(number, shard_rows(number, rows)) for number in range(num_shards(rows))]
        found = [shard for shard in shards if shard is not None]
        if len(found) < len(shards):
            raise ValueError(f"{self.folder}: {len(shards) - len(found)} shards disappeared; evaluate again")
        return {name: np.concatenate([shard[name] for shard in found]) for name in found[0]}


def num_shards(rows: int) -> int:
    """How many shards hold `rows` rows."""
    return -(-rows // SHARD)


def shard_rows(number: int, rows: int) -> int:
    """How many of `rows` rows are in shard `number`."""
    return min(SHARD, rows - number * SHARD)
