"""Pictures of faces for browsers: small ones, large ones, and what to show where there is none."""

import io
import textwrap
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from facegen.data.headers import ImageError, read_header
from facegen.data.images import decode
from facegen.data.reader import ImageReader
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.files import inside

Picture = UInt8[np.ndarray, "height width 3"]
THUMBNAIL, LARGE = 160, 768  # pixels of the longer side
_MOST_PIXELS = 2**27
_JPEG_QUALITY = 90


def read_face(faces: Faces, row: int) -> Picture:
    """The pixels of a face. Raises ImageError where there are none."""
    rows = faces.recipe.rows.slice(row, 1)
    if not inside(faces.place(row).source, rows["uri"][0].as_py()):
        raise ImageError("the table names a file outside of the faces' folder; it is not read")
    return decode_checked(ImageReader.of(rows).read(0))


def decode_checked(data: bytes) -> Picture:
    """Pixels of any file that is an image of a size that can be shown. Raises ImageError for others."""
    header = read_header(data)
    if header.width * header.height > _MOST_PIXELS:
        raise ImageError(f"{header.width}x{header.height} pixels are too many; expected at most {_MOST_PIXELS}")
    return decode(data, convert=True)


def fitted(pixels: Picture, side: int, enlarge: bool = False) -> Image.Image:
    """A picture whose longer side has at most `side` pixels, or exactly."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    picture = Image.fromarray(pixels)
    if scale >= 1 and not enlarge:
        return picture
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return picture.resize(size, Image.Resampling.LANCZOS if scale < 4 else Image.Resampling.NEAREST, reducing_gap=3.0)


def thumbnail(faces: Faces, row: int) -> Image.Image:
    """A small picture of a face, or why there is none."""
    try:
        return fitted(read_face(faces, row), THUMBNAIL)
    except ImageError as error:
        return placeholder(str(error), THUMBNAIL)


def placeholder(reason: str, side: int) -> Image.Image:
    """A grey square that says why there is no picture."""
    picture: Any = Image.new("RGB", (side, side), (206, 212, 218))
    size = max(side // 14, 10)
    text = "\n".join(textwrap.wrap(f"No picture: {reason}", max(2 * side // size - 2, 8))[: side // size - 2])
    ImageDraw.Draw(picture).multiline_text((6, 6), text, (60, 70, 80), ImageFont.load_default(size=size))
    return picture


def jpeg(picture: Image.Image) -> bytes:
    """The bytes of a picture's file."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()
