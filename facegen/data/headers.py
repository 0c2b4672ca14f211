"""Image headers: size and kind of pixels without decoding them."""

import io
import struct
from typing import NamedTuple

from PIL import Image

MAX_SIDE = 16384  # a damaged header can claim gigabytes: refuse before a decoder allocates them
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the three others are tables and extensions
EXIF_ORIENTATION = 0x0112


class ImageError(ValueError):
    """An image that cannot be used; the message is one line.

    A DataLoader rebuilds a worker's exception from its whole traceback as text; only the line that names the
    problem is kept, so that people read the same sentence with and without workers.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rstrip().rsplit("ImageError: ", 1)[-1].splitlines()[0] if message.strip() else message)


class ImageHeader(NamedTuple):
    """What a file says about its pixels: `mode` in Pillow's words, `bits` per channel, EXIF `orientation` 1 to 8."""

    codec: str
    width: int
    height: int
    mode: str
    bits: int = 8
    orientation: int = 1


def read_header(data: bytes) -> ImageHeader:
    """Parse the header of an image given its first bytes (64 KiB nearly always suffice, all of it always does).

    Raises ImageError where the bytes are no image, or end inside of the header.
    """
    if not data:
        raise ImageError("the file is empty (0 bytes)")
    try:
        if data.startswith(PNG_SIGNATURE):
            header = _png_header(data)
        elif data.startswith(b"\xff\xd8"):
            header = _jpeg_header(data)
        else:
            header = _other_header(data)
    except (struct.error, IndexError) as error:
        raise ImageError(f"truncated: the file ends inside of its header ({len(data)} bytes)") from error
    if not (0 < header.width <= MAX_SIDE and 0 < header.height <= MAX_SIDE):
        raise ImageError(f"impossible size {header.width}x{header.height} (allowed: 1 to {MAX_SIDE} pixels a side)")
    return header


def unusual(header: ImageHeader) -> str | None:
    """Why an image is not plain upright 8-bit RGB, in words; None when it is."""
    if header.bits == 16:
        return "16-bit"
    words = {"L": "greyscale", "1": "black-and-white", "P": "palette", "CMYK": "CMYK", "LA": "greyscale with alpha"}
    if header.mode != "RGB":
        return "with an alpha channel (RGBA)" if header.mode == "RGBA" else words.get(header.mode, header.mode)
    return f"stored rotated (EXIF orientation {header.orientation})" if header.orientation != 1 else None


def _png_header(data: bytes) -> ImageHeader:
    if data[12:16] != b"IHDR" and len(data) >= 16:
        raise ImageError("corrupt PNG: it does not begin with IHDR")
    width, height, bits, color = struct.unpack(">IIBB", data[16:26])
    if color not in PNG_MODES:
        raise ImageError(f"corrupt PNG: color type {color} does not exist")
    return ImageHeader("png", width, height, PNG_MODES[color], bits)


def _jpeg_header(data: bytes) -> ImageHeader:
    """Walk the marker segments (ITU T.81, B.1.1) up to the frame header."""
    position, orientation = 2, 1
    while True:
        if data[position] != 0xFF:
            raise ImageError(f"corrupt JPEG: no marker at byte {position}")
        marker = data[position + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD7:  # fill bytes and markers without a segment
            position += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):
            raise ImageError("corrupt JPEG: pixels begin before the frame header")
        (length,) = struct.unpack(">H", data[position + 2 : position + 4])
        body = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\x00\x00"):
            orientation = _orientation(body)
        if marker in JPEG_FRAMES:
            bits, height, width, channels = struct.unpack(">BHHB", body[:6])
            mode = JPEG_MODES.get(channels, f"{channels}-channel")
            return ImageHeader("jpeg", width, height, mode, 16 if bits > 8 else 8, orientation)
        position += 2 + max(length, 2)


def _orientation(body: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(body)
        value = int(exif.get(EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing about the pixels; Pillow raises many types here
        return 1
    return value if 1 <= value <= 8 else 1


def _other_header(data: bytes) -> ImageHeader:
    try:
        with Image.open(io.BytesIO(data)) as image:
            bits = 16 if image.mode.startswith(("I", "F")) else 8
            mode = "L" if bits == 16 else image.mode
            return ImageHeader((image.format or "unknown").lower(), image.width, image.height, mode, bits)
    except Exception as error:  # Pillow's plugins raise whatever their parsers raise
        raise ImageError(f"not an image that can be read (first bytes {data[:8]!r})") from error
