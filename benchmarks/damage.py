"""Ways to damage a sample of a dataset, each a function of its folder."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegen.data.masks import COLORS

Act = Callable[[Path], object]
MARK = "executed"  # a file that hostile content would make in the working directory
NESTED = 10**6


class Hostile:
    """Would make a file if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {MARK}",)


def gone(name: str) -> Act:
    """The file was not downloaded."""
    return lambda home: (home / name).unlink()


def half(name: str) -> Act:
    """The download stopped in the middle."""
    return lambda home: (home / name).write_bytes((home / name).read_bytes()[: (home / name).stat().st_size // 2])


def content(name: str, data: bytes = b"") -> Act:
    """Other bytes, or none."""
    return lambda home: (home / name).write_bytes(data)


def renamed(name: str, new: str) -> Act:
    """Another name, below the same folder."""
    return lambda home: (home / name).rename(home / new)


def edited(name: str, change: Callable[[Any], object]) -> Act:
    """A JSON file with a change made in place."""

    def act(home: Path) -> None:
        values = json.loads((home / name).read_text())
        change(values)
        (home / name).write_text(json.dumps(values))

    return act


def keys_renamed(name: str, new: Callable[[str], str]) -> Act:
    """A JSON object whose entries have other names, as those of another release."""

    def act(home: Path) -> None:
        values = json.loads((home / name).read_text())
        (home / name).write_text(json.dumps({new(key): value for key, value in values.items()}))

    return act


def nested(name: str) -> Act:
    """JSON so deep that a parser which calls itself runs out of stack."""
    return content(name, b"[" * NESTED + b"]" * NESTED)


def folder_instead(name: str) -> Act:
    """A folder in the place of a file."""

    def act(home: Path) -> None:
        (home / name).unlink()
        (home / name).mkdir()

    return act


def pipe_instead(name: str) -> Act:
    """A named pipe, which keeps whoever reads it waiting, in the place of a file."""

    def act(home: Path) -> None:
        (home / name).unlink()
        os.mkfifo(home / name)

    return act


def loop(name: str) -> Act:
    """A link to the folder that it lies in."""
    return lambda home: (home / name).symlink_to((home / name).parent, target_is_directory=True)


def pickled(name: str, value: Any) -> Act:
    """A pickle of something else."""
    return content(name, pickle.dumps(value))


def arrays(name: str, **values: Any) -> Act:
    """An .npz file of other arrays."""
    return lambda home: np.savez(home / name, **values)


def mask(name: str, kind: str) -> Act:
    """A mask in colours, of grey levels, or of one part only."""
    ids = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4), np.ones((16, 16), np.uint8))
    pixels = {"colours": COLORS[ids], "grey": ids * 12, "part": (ids > 5).astype(np.uint8) * 255, "oblong": ids[:32]}
    return lambda home: Image.fromarray(pixels[kind]).save(home / name)


def zipped(name: str, change: Callable[[dict[str, bytes]], dict[str, bytes]], method: int = zipfile.ZIP_STORED) -> Act:
    """A zip with other members."""

    def act(home: Path) -> None:
        with zipfile.ZipFile(home / name) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        with zipfile.ZipFile(home / name, "w", method) as archive:
            for member, data in change(members).items():
                archive.writestr(member, data)

    return act


def npy(values: Any) -> bytes:
    """An .npy file."""
    stream = BytesIO()
    np.save(stream, values)
    return stream.getvalue()
