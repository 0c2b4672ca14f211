"""One image looked at completely: what a validating process does, without torch, so that it starts quickly."""

import hashlib
from typing import NamedTuple

from facegen.data.headers import ImageError, ImageHeader, read_header, unusual
from facegen.data.images import decode
from facegen.data.reader import ImageReader

HEADER_BYTES = 65536  # holds the header of all but a few photographs with large embedded previews
TAIL_BYTES = 64
END_MARKERS = {"png": b"IEND", "jpeg": b"\xff\xd9"}


class Inspection(NamedTuple):
    """Header (None where it cannot be read), what is wrong with the pixels, and a hash of the file's bytes."""

    header: ImageHeader | None
    kind: str
    detail: str
    digest: bytes


def inspect_image(data: bytes, codec: str) -> Inspection:
    """Decode an image of any kind; `codec` is what its name says it is. Never raises."""
    digest = hashlib.blake2b(data, digest_size=16).digest()
    try:
        header = read_header(data)
    except ImageError as error:
        return Inspection(None, "unreadable", str(error), digest)
    try:
        decode(data, convert=True)
    except ValueError as error:
        return Inspection(header, "corrupt", str(error), digest)
    if header.codec == "png" and END_MARKERS["png"] not in data:  # decoders stop at the last pixel and do not miss it
        return Inspection(header, "truncated", "the end of the file is missing (no IEND)", digest)
    if reason := unusual(header):
        return Inspection(header, reason, "expected 8-bit RGB", digest)
    if header.codec != codec:
        return Inspection(header, "misnamed", f"the name says {codec}, the content is {header.codec}", digest)
    return Inspection(header, "", "", digest)


def inspect_all(reader: ImageReader) -> list[Inspection]:
    """Inspect every image of a reader, in order."""
    found = []
    for row in range(len(reader)):
        try:
            found.append(inspect_image(reader.read(row), reader.codecs[row]))
        except ImageError as error:
            found.append(Inspection(None, "unreadable", str(error), b""))
    return found


def probe(reader: ImageReader, row: int) -> ImageHeader:
    """Header of an image from its first 64 KiB, having seen that the file does not end too early.

    Nothing is decoded, unless the end marker is not where it should be. Raises ImageError.
    """
    try:
        header = read_header(reader.head(row, HEADER_BYTES))
    except ImageError:
        if reader.sizes[row] <= HEADER_BYTES:
            raise
        header = read_header(reader.read(row))
    marker = END_MARKERS.get(header.codec, b"")
    if marker not in reader.tail(row, TAIL_BYTES):
        found = inspect_image(reader.read(row), header.codec)
        if found.kind in ("corrupt", "truncated"):
            raise ImageError(found.detail)
    return header
