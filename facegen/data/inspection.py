"""One image looked at completely: what a validating process does, without torch, so that it starts quickly."""

import hashlib
import struct
import zlib
from typing import NamedTuple

from facegen.data.headers import PNG_SIGNATURE, ImageError, ImageHeader, read_header, unusual
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
    if header.codec == "png" and (reason := png_damage(data)):
        return Inspection(header, "corrupt", reason, digest)
    if reason := unusual(header):
        return Inspection(header, reason, "expected 8-bit RGB", digest)
    if header.codec != codec:
        return Inspection(header, "misnamed", f"the name says {codec}, the content is {header.codec}", digest)
    return Inspection(header, "", "", digest)


def png_damage(data: bytes) -> str | None:
    """What the checksums and the end of a PNG say; decoders stop at the last pixel and look at neither."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        end = position + 8 + length
        if data[end : end + 4] != zlib.crc32(data[position + 4 : end]).to_bytes(4, "big"):
            return f"corrupt PNG (wrong checksum of its part {name.decode('latin1')!r} at byte {position})"
        if name == b"IEND":
            return None
        position = end + 4
    return "truncated PNG (its end is missing)"


def inspect_all(reader: ImageReader) -> list[Inspection]:
    """Inspect every image of a reader, in order."""
    found = []
    for row in range(len(reader)):
        try:
            found.append(inspect_image(reader.read(row), reader.codecs[row]))
        except ImageError as error:
            found.append(Inspection(None, "unreadable", str(error).removeprefix(f"{reader.where(row)} "), b""))
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
        if found.kind == "corrupt":
            raise ImageError(found.detail)
    return header
