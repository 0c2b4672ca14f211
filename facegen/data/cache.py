"""Decoded and resized images kept in memory that all worker processes share."""

import mmap
import os
import tempfile
import zlib
from multiprocessing.reduction import DupFd

import numpy as np
import psutil

AUTO_LIMIT = 2 << 30  # bytes; beyond it, decoding again is cheaper than the memory


class PixelCache:
    """`num_images` uint8 images of one shape, filled lazily by whichever process decodes one first.

    Beside each image lies the CRC-32 of its pixels. An image counts as present only when they agree, so that a reader
    never takes one that another process is still writing; two writers write the same bytes. The memory is an
    unlinked file in RAM: it needs no /dev/shm (small in containers), passes through fork and spawn, and vanishes with
    the last process.
    """

    def __init__(self, num_images: int, shape: tuple[int, int, int]) -> None:
        self.num_images, self.shape = num_images, shape
        self._attach(_memory_file(self.nbytes))

    @property
    def nbytes(self) -> int:
        """Bytes of memory when every image is present."""
        return self.num_images * (int(np.prod(self.shape)) + 8)

    def get(self, row: int) -> np.ndarray | None:
        """The image, a read-only view valid as long as the cache, or None where it is not present."""
        image = self._images[row]
        return image if self._sums[row] == _checksum(image) else None

    def put(self, row: int, image: np.ndarray) -> None:
        """Keep an image."""
        self._images[row] = image
        self._sums[row] = _checksum(self._images[row])

    def __getstate__(self) -> dict:
        return {"num_images": self.num_images, "shape": self.shape, "file": DupFd(self._file)}

    def __setstate__(self, state: dict) -> None:
        self.num_images, self.shape = state["num_images"], state["shape"]
        self._attach(state["file"].detach())

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def _attach(self, file: int) -> None:
        self._file = file
        memory = np.frombuffer(mmap.mmap(file, self.nbytes), dtype=np.uint8)
        sums = self.num_images * 8
        self._sums = memory[:sums].view(np.uint64)
        self._images = memory[sums:].reshape(self.num_images, *self.shape)


def wants_cache(option: bool | str, num_images: int, resolution: int) -> bool:
    """Resolve `cache`: true, false, or auto: when all images fit in 2 GiB and in half of the available memory."""
    if isinstance(option, bool):
        return option
    if option != "auto":
        raise ValueError(f"cache must be auto, true or false, got {option!r}")
    needed = num_images * 3 * resolution**2
    return needed <= min(AUTO_LIMIT, psutil.virtual_memory().available // 2)


def _checksum(image: np.ndarray) -> int:
    return zlib.crc32(image.data) + 1  # zero is the state of fresh memory


def _memory_file(nbytes: int) -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("facegen-pixels")
    else:
        with tempfile.TemporaryFile() as handle:
            file = os.dup(handle.fileno())
    os.ftruncate(file, nbytes)
    return file
