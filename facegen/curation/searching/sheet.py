"""Found faces on one picture."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from facegen.data.headers import ImageError
from facegen.data.images import decode
from facegen.data.reader import ImageReader

_LINE = 14  # pixels below each face for its words
_BACKGROUND, _WORDS = (24, 24, 24), (235, 235, 235)


def contact_sheet(
    reader: ImageReader, words: Sequence[str], columns: int, size: int = 128
) -> UInt8[np.ndarray, "height width 3"]:
    """All faces of a reader in rows of `columns`, `size` pixels wide, a line of words below each.

    Pictures keep their proportions; one that cannot be read is a dark square that says so.
    """
    height = size + _LINE
    sheet = Image.new("RGB", (columns * size, -(-len(reader) // columns) * height), _BACKGROUND)
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=10)
    for row, said in enumerate(words):
        left, upper = row % columns * size, row // columns * height
        try:
            picture = Image.fromarray(decode(reader.read(row), convert=True))
        except ImageError:
            canvas.text((left + 4, upper + size // 2), "unreadable", _WORDS, font)
        else:
            scale = size / max(picture.size)
            small = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
            sheet.paste(small, (left + (size - small.width) // 2, upper + (size - small.height) // 2))
        canvas.text((left + 3, upper + size + 1), _fitting(said, font, size - 6), _WORDS, font)
    return np.asarray(sheet)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
