"""Reading image bytes where they are: `os.pread`, which has no file position and so survives forks and threads."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegen.data.headers import ImageError

Numbers = NDArray[np.int64]
MAX_OPEN = 32  # zips kept open; single image files are closed at once


class ImageReader:
    """Bytes of image `row` of a table with the columns id, uri, offset, size and codec.

    Holds flat arrays and lists only, no Arrow memory, so that worker processes neither copy nor share handles.
    """

    def __init__(
        self, ids: list[str], uris: NDArray[np.bytes_], offsets: Numbers, sizes: Numbers, codecs: list[str]
    ) -> None:
        self.ids, self.uris, self.offsets, self.sizes, self.codecs = ids, uris, offsets, sizes, codecs
        names, counts = np.unique(uris, return_counts=True)
        self._shared = frozenset(names[counts > 1].tolist())
        self._open: dict[bytes, int] = {}

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """A reader of all rows of a table."""
        ids, uris, codecs = (rows[name].to_pylist() for name in ("id", "uri", "codec"))
        places = np.array([os.fsencode(uri) for uri in uris], dtype=np.bytes_)
        return cls(ids, places, rows["offset"].to_numpy(), rows["size"].to_numpy(), codecs)

    def part(self, start: int, stop: int) -> "ImageReader":
        """A reader of some of the rows, small enough to be sent to another process."""
        cut = slice(start, stop)
        return ImageReader(self.ids[cut], self.uris[cut], self.offsets[cut], self.sizes[cut], self.codecs[cut])

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def __del__(self) -> None:
        for file in self.__dict__.get("_open", {}).values():
            os.close(file)

    def where(self, row: int) -> str:
        """The file as people know it: its path, with the name inside for a zip."""
        path = os.fsdecode(self.uris[row])
        return f"{path}:{self.ids[row]}" if path.lower().endswith(".zip") else path

    def read(self, row: int) -> bytes:
        """All bytes of an image. Raises ImageError that names the file."""
        return self._read(row, 0, int(self.sizes[row]))

    def head(self, row: int, count: int) -> bytes:
        """The first bytes of an image, at most `count`."""
        return self._read(row, 0, min(count, int(self.sizes[row])))

    def tail(self, row: int, count: int) -> bytes:
        """The last bytes of an image, at most `count`."""
        size = int(self.sizes[row])
        return self._read(row, max(0, size - count), min(count, size))

    def _read(self, row: int, start: int, count: int) -> bytes:
        try:
            with self._file(self.uris[row]) as file:
                data = os.pread(file, count, int(self.offsets[row]) + start)
        except OSError as error:
            reason = "it is a pipe, expected a file" if error.errno == errno.ESPIPE else error.strerror
            raise ImageError(f"{self.where(row)} cannot be read: {reason}") from error
        if len(data) != count:
            raise ImageError(f"{self.where(row)} became shorter since it was listed")
        return data

    @contextmanager
    def _file(self, uri: bytes) -> Iterator[int]:
        if uri in self._shared and len(self._open) < MAX_OPEN:
            if uri not in self._open:
                self._open[uri] = os.open(uri, os.O_RDONLY)
            yield self._open[uri]
            return
        file = os.open(uri, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in the place of an image must not wait for a writer
        try:
            yield file
        finally:
            os.close(file)
