"""Which images a folder or a zip holds and where their bytes are; nothing is decoded."""

import os
import struct
import zipfile
from pathlib import Path
from typing import NamedTuple

from facegen.checkpoint.files import ZIP_ERRORS

CODECS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., lengths of name and extra field (PKWARE APPNOTE 4.3.7)


class Entry(NamedTuple):
    """One image: name relative to the source, the file of its bytes, where in it, and that file's mtime in ns."""

    name: str
    uri: str
    offset: int
    size: int
    mtime: int


class Listing(NamedTuple):
    """Images in the order of their names, how many other files were seen, and the bytes of `dataset.json` if any."""

    entries: list[Entry]
    ignored: int
    labels: bytes | None


def is_image(name: str) -> bool:
    """Whether a name has the suffix of a format that can be decoded and is not hidden."""
    return codec(name) is not None and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def codec(name: str) -> str | None:
    """The format that a name's suffix stands for. Strings, not paths: a dataset has 400,000 names."""
    return CODECS.get(os.path.splitext(name)[1].lower())


def list_folder(root: Path, labels_file: str) -> Listing:
    """Images below a folder, at any depth; links are followed, each real folder once."""
    base, entries, ignored, seen = str(root), [], 0, set()
    for folder, folders, files in os.walk(base, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".") and not name.endswith(".lance")]
        for file in files:
            path = os.path.join(folder, file)
            name = os.path.relpath(path, base).replace(os.sep, "/")
            if is_image(name):
                entries.append(_file_entry(name, path))
            else:
                ignored += name != labels_file
    labels = root / labels_file
    return Listing(sorted(entries), ignored, _labels_bytes(labels) if labels.exists() else None)


def _labels_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path} is a folder, a pipe or a device; expected a file of labels, or none")
    return path.read_bytes()


def list_zip(path: Path, labels_file: str) -> Listing:
    """Images of an uncompressed zip, at the offsets that its local file headers give.

    Raises ValueError for a damaged or compressed zip, and for names that lead out of it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            labels = archive.read(labels_file) if labels_file in archive.NameToInfo else None
    except ZIP_ERRORS as error:
        reason = error if path.stat().st_size else "it is empty, 0 bytes"
        raise ValueError(f"{path} cannot be read as a zip file ({reason}); copy or make it again") from error
    for info in infos:
        _check_name(path, info.filename)
    images = [info for info in infos if is_image(info.filename)]
    if packed := [info.filename for info in images if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1]:
        raise ValueError(
            f"{path} is compressed or encrypted ({len(packed)} of {len(images)} images, first {packed[0]}); images are "
            f"read in place, so unpack it and zip it again without compression: zip -0 -r {path.name} FOLDER"
        )
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        entries = [_entry(path, file.fileno(), status, info) for info in images]
    ignored = sum(info.filename != labels_file for info in infos) - len(images)
    return Listing(sorted(entries), ignored, labels)


def _file_entry(name: str, path: str) -> Entry:
    try:
        status = os.stat(path)
    except OSError as error:  # a dangling link: listed with no bytes, so that the checks name it
        if not os.path.islink(path):
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        return Entry(name, path, 0, 0, 0)
    return Entry(name, path, 0, status.st_size, status.st_mtime_ns)


def _check_name(path: Path, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or ":" in parts[0]:
        raise ValueError(
            f"{path} holds the name {name!r}, which leads out of the zip; expected relative names without .."
        )


def _entry(path: Path, file: int, status: os.stat_result, info: zipfile.ZipInfo) -> Entry:
    """The local header's lengths decide: its extra field may differ from the central directory's."""
    header = os.pread(file, LOCAL_HEADER.size, info.header_offset)
    if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise ValueError(f"{path} is damaged: no file header at byte {info.header_offset} for {info.filename}")
    _, name_length, extra_length = LOCAL_HEADER.unpack(header)
    offset = info.header_offset + LOCAL_HEADER.size + name_length + extra_length
    if offset + info.file_size > status.st_size:
        raise ValueError(f"{path} is truncated: {info.filename} ends after the end of the file; copy it again")
    return Entry(info.filename, str(path), offset, info.file_size, status.st_mtime_ns)
