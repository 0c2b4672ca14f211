"""Files of numpy arrays, read as data and within bounds."""

import zipfile
from pathlib import Path

import numpy as np

from facegen.checkpoint.files import ZIP_ERRORS, check_file
from facegen.morphable.formats.arrays import MAX_BYTES, Arrays

MAGIC = b"PK\x03\x04"


def read_npz(path: Path) -> Arrays:
    """The arrays of an .npz file. Raises ValueError, in one line that names it, for what is none or too large.

    Arrays of objects, which could be anything, are left out.
    """
    try:
        check_file(path)
        with zipfile.ZipFile(path) as archive:
            if (size := sum(member.file_size for member in archive.infolist())) > MAX_BYTES:
                raise ValueError(f"its arrays unpack to {size} bytes, expected at most {MAX_BYTES}")
        with np.load(path, allow_pickle=False) as stored:
            content = {name: array for name in stored.files if (array := _array(stored, name)) is not None}
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, MemoryError, *ZIP_ERRORS) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path}: not a readable .npz file ({reason})") from error
    return Arrays(path, content)


def _array(stored: "np.lib.npyio.NpzFile", name: str) -> np.ndarray | None:
    """An array, or None where it is one of objects."""
    try:
        return np.asarray(stored[name])
    except ValueError as error:
        if "Object arrays" in str(error):
            return None
        raise
