"""A look at a file that others made, before it is opened."""

import os
import stat
import zipfile
import zlib
from pathlib import Path

# What `zipfile` raises for archives and members that are damaged, encrypted, or packed in a way it does not know.
ZIP_ERRORS = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error)


def check_file(path: Path) -> None:
    """Raise ValueError, in words that do not repeat the name, for an empty file and for what is no file.

    Whoever opens a pipe to read it waits for somebody who writes. Raises OSError where there is nothing.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("it is a folder, expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a pipe or a device, expected a file")
    if status.st_size == 0:
        raise ValueError("the file is empty (0 bytes)")
