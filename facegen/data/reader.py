"""Reading image bytes where they are: `os.pread`, which has no file position and so survives forks and threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from facegen.data.headers import ImageError

MAX_OPEN = 32  # zips kept open; single image files are closed at once


class ImageReader:
    """Bytes of image `row` of a table with the columns uri, offset and size.

    Holds flat numpy arrays only, no Arrow memory, so that worker processes neither copy nor share handles.
    """

    def __init__(self, rows: pa.Table) -> None:
        self.uris = np.array([os.fsencode(uri) for uri in rows["uri"].to_pylist()], dtype=np.bytes_)
        self.offsets = rows["offset"].to_numpy()
        self.sizes = rows["size"].to_numpy()
        self.ids: list[str] = rows["id"].to_pylist()
        self._shared = self._files_with_many(self.uris)
        self._open: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_open": {}}

    def where(self, row: int) -> str:
        """The file as people know it: its path, with the name inside for a zip."""
        path = os.fsdecode(self.uris[row])
        return f"{path}:{self.ids[row]}" if path.lower().endswith(".zip") else path

    def read(self, row: int, limit: int | None = None) -> bytes:
        """All bytes of an image, or the first `limit`. Raises ImageError that names the file."""
        size = int(self.sizes[row]) if limit is None else min(limit, int(self.sizes[row]))
        try:
            with self._file(self.uris[row]) as file:
                data = os.pread(file, size, int(self.offsets[row]))
        except OSError as error:
            raise ImageError(f"{self.where(row)} cannot be read: {error.strerror}") from error
        if len(data) != size:
            raise ImageError(f"{self.where(row)} became shorter since it was listed ({len(data)} of {size} bytes)")
        return data

    @staticmethod
    def _files_with_many(uris: np.ndarray) -> frozenset[bytes]:
        names, counts = np.unique(uris, return_counts=True)
        return frozenset(names[counts > 1].tolist())

    @contextmanager
    def _file(self, uri: bytes) -> Iterator[int]:
        if uri in self._shared and len(self._open) < MAX_OPEN:
            if uri not in self._open:
                self._open[uri] = os.open(uri, os.O_RDONLY)
            yield self._open[uri]
            return
        file = os.open(uri, os.O_RDONLY)
        try:
            yield file
        finally:
            os.close(file)
