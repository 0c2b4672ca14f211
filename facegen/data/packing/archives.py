"""Zip and tar files that only ever grow at their end, so that one that was cut off can be continued.

`zipfile` and `tarfile` write the records; what is done by hand is where they go.
"""

import contextlib
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["zip", "tar"]
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold; a real one would make every run's bytes differ
MODE = 0o644
BUFFER = 1 << 20


class Member(NamedTuple):
    """A file in an archive: where its header and its data begin, the data's size in bytes and CRC-32."""

    name: str
    offset: int
    start: int
    size: int
    crc: int


class Archive:
    """An archive under construction that has `members` and ends at byte `end`; whatever lies behind is cut off.

    Raises ValueError where the file is shorter than that.
    """

    def __init__(self, path: Path, kind: Kind, members: Iterable[Member] = (), end: int = 0) -> None:
        self.path, self.members, self.end = path, list(members), end
        self.kind: Kind = kind
        length = path.stat().st_size if path.exists() else 0
        if length < end:
            raise ValueError(f"{path} has {length} bytes, expected at least the {end} that its journal counts")
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=BUFFER)
        self._file.truncate(end)
        self._file.seek(end)

    def add(self, name: str, data: bytes) -> None:
        """Append a file. What was added counts only after `sync`."""
        crc = zlib.crc32(data)
        header = _HEADERS[self.kind](name, len(data), crc, self.end)
        padding = bytes(-len(data) % tarfile.BLOCKSIZE) if self.kind == "tar" else b""
        for part in (header, data, padding):
            self._file.write(part)
        self.members.append(Member(name, self.end, self.end + len(header), len(data), crc))
        self.end += len(header) + len(data) + len(padding)

    def sync(self) -> None:
        """Have everything on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Write what ends an archive: the zip's directory (Zip64 where needed), or the tar's empty blocks."""
        if self.kind == "zip":
            with zipfile.ZipFile(self._file, "w") as directory:
                directory.infolist().extend(_zip_info(m.name, m.size, m.crc, m.offset) for m in self.members)
        else:
            closing = 2 * tarfile.BLOCKSIZE
            self._file.write(bytes(closing + -(self.end + closing) % tarfile.RECORDSIZE))
        self.sync()

    def close(self) -> None:
        """Let go of the file. Never raises: what `sync` did not confirm is cut off by the next run."""
        with contextlib.suppress(OSError):
            self._file.close()


def checked_sha256(path: Path, members: Sequence[Member], progress: Callable[[int], object]) -> str:
    """SHA-256 of an archive, read once from beginning to end, having compared each member with its CRC-32.

    `progress` is told the bytes read. Raises ValueError that names the first member that is not what was written.
    """
    digest = sha256()
    with path.open("rb") as file:
        for member in members:
            before = file.tell()
            digest.update(file.read(member.start - before))
            data = file.read(member.size)
            if len(data) != member.size or zlib.crc32(data) != member.crc:
                raise ValueError(f"{path}: {member.name} is not what was written there (a failing disk?)")
            digest.update(data)
            progress(file.tell() - before)
        while rest := file.read(BUFFER):
            digest.update(rest)
            progress(len(rest))
    return digest.hexdigest()


def _zip_info(name: str, size: int, crc: int, offset: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system = 3  # Unix, whichever system writes
    info.external_attr = MODE << 16
    info.file_size = info.compress_size = size
    info.CRC, info.header_offset = crc, offset
    return info


def _zip_header(name: str, size: int, crc: int, offset: int) -> bytes:
    return _zip_info(name, size, crc, offset).FileHeader()


def _tar_header(name: str, size: int, crc: int, offset: int) -> bytes:
    """`tarfile` leaves owner and time at 0 unless told otherwise; a tar keeps neither CRC nor offset."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, MODE
    return info.tobuf(tarfile.USTAR_FORMAT)


_HEADERS: dict[Kind, Callable[[str, int, int, int], bytes]] = {"zip": _zip_header, "tar": _tar_header}
