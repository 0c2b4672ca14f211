"""Decoding and resizing: bytes to uint8 pixels, the same on every machine and with every decoder."""

import io

import numpy as np
import pyspng
import simplejpeg
from jaxtyping import UInt8
from PIL import Image, ImageOps

from facegen.data.headers import ImageError, read_header, unusual

FILTERS = {"box": Image.Resampling.BOX, "lanczos": Image.Resampling.LANCZOS}


def decode(data: bytes, convert: bool = False) -> UInt8[np.ndarray, "height width 3"]:
    """Decode an image file into 8-bit RGB, pixel-identical to Pillow.

    Grey, alpha, palette, 16-bit, CMYK and EXIF-rotated images are refused, because what they should look like is a
    decision of whoever made the dataset; `convert` makes the usual one (alpha over white, high byte, upright).
    Raises ImageError (a ValueError) that names the problem.
    """
    header = read_header(data)
    reason = unusual(header)
    if reason and not convert:
        raise ImageError(f"{reason} image, expected 8-bit RGB; convert the file, or set data.convert=true")
    if reason:
        return _decode_unusual(data)
    if header.codec == "png":
        return _decode_png(data)
    if header.codec == "jpeg":
        return _decode_jpeg(data)
    return np.asarray(_pillow(data).convert("RGB"))


def resize(
    image: UInt8[np.ndarray, "height width 3"], resolution: int, filter: str = "lanczos", crop: str | None = None
) -> UInt8[np.ndarray, "resolution resolution 3"]:
    """Resize to a square exactly as Pillow's `resize` with that filter does.

    Raises ValueError for an image that is not square, unless `crop="center"` takes its middle square first.
    """
    check_transform(filter, crop)
    height, width = image.shape[:2]
    if height != width:
        if crop != "center":
            raise ImageError(f"{width}x{height} is not square; crop the file, or set data.crop=center")
        side, top, left = min(height, width), (height - min(height, width)) // 2, (width - min(height, width)) // 2
        image = image[top : top + side, left : left + side]
    if image.shape[0] == resolution:
        return np.ascontiguousarray(image)
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((resolution, resolution), FILTERS[filter]))


def check_transform(filter: str, crop: str | None) -> None:
    """Raise ValueError for a filter or crop that does not exist."""
    if filter not in FILTERS:
        raise ValueError(f"unknown resize filter {filter!r}; expected one of {', '.join(FILTERS)}")
    if crop not in (None, "center"):
        raise ValueError(f"unknown crop {crop!r}; expected center, or null to refuse images that are not square")


def _decode_png(data: bytes) -> np.ndarray:
    try:
        return pyspng.load(data, format="RGB")
    except Exception as error:  # pyspng reports every problem as a bare RuntimeError of its C library
        raise ImageError(f"corrupt or truncated PNG ({error})") from error


def _decode_jpeg(data: bytes) -> np.ndarray:
    try:
        return simplejpeg.decode_jpeg(data, "RGB")
    except ValueError as error:
        # stray bytes between segments lose no pixel, and photographs in the wild have them
        if "extraneous bytes" in str(error):
            return simplejpeg.decode_jpeg(data, "RGB", strict=False)
        raise ImageError(f"corrupt or truncated JPEG ({error})") from error


def _decode_unusual(data: bytes) -> np.ndarray:
    image = _pillow(data)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        return np.repeat((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _pillow(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        return image
    except Exception as error:  # Pillow's plugins raise whatever their parsers raise
        raise ImageError(f"corrupt or truncated image ({error})") from error
