"""Arrays and masks from small files that others made, read without executing anything."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from facegen.checkpoint.files import ZIP_ERRORS
from facegen.data.masks import COLORS, NUM_IDS

_MOST_BYTES = 1 << 20  # the published files have a few thousand


def npz_array(path: Path, key: str) -> np.ndarray:
    """One array of an .npz file. Raises ValueError for a damaged file, another content, or a missing key."""
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{key}.npy" not in archive.NameToInfo:
                raise ValueError(f"no array {key!r}, it has: {', '.join(archive.namelist())[:100] or 'nothing'}")
            if (size := archive.getinfo(f"{key}.npy").file_size) > _MOST_BYTES:
                raise ValueError(f"{size} bytes of {key}, expected at most {_MOST_BYTES}")
            return npy_array(archive.read(f"{key}.npy"))
    except ZIP_ERRORS as error:
        raise ValueError(f"damaged .npz file ({error}); download it again") from error


def npy_array(data: bytes) -> np.ndarray:
    """The array in the bytes of an .npy file. Raises ValueError for anything else, objects included."""
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{len(data)} bytes, expected at most {_MOST_BYTES}")
    try:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False, max_header_size=1000)
    except Exception as error:  # numpy's reader raises whatever its parsers raise
        raise ValueError(f"damaged .npy file ({error}); download it again") from error


def numbers(values: object, shapes: Sequence[tuple[int, ...]], what: str) -> np.ndarray:
    """`values` as float32 of the last of `shapes`; any of them is accepted. Raises ValueError for anything else."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.shape not in shapes:
        got = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise ValueError(f"{what}: expected numbers of shape {shapes[-1]}, got {got}")
    if not np.isfinite(values).all():
        raise ValueError(f"{what}: contains numbers that are not finite")
    return values.astype(np.float32).reshape(shapes[-1])


def check_mask(path: Path) -> None:
    """Look at the pixels of a mask: one channel of ids 0 to 18, square like the images. Raises ValueError."""
    try:
        with Image.open(path) as picture:
            picture.load()
            mode, (width, height) = picture.mode, picture.size
            indices = np.asarray(picture) if mode == "P" else None
            pixels = np.asarray(picture.convert("RGB") if mode in ("RGB", "RGBA") else picture.convert("L"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable picture ({error}); download it again") from error
    if width != height:
        raise ValueError(f"{width}x{height}, expected the same shape as the image, a square")
    if pixels.ndim == 3:
        raise ValueError(_about_colors(pixels))
    if (largest := int(pixels.max())) >= NUM_IDS:
        if indices is not None and int(indices.max()) < NUM_IDS:
            raise ValueError("its ids are the places of a colour palette; save the places themselves, as grey (mode L)")
        raise ValueError(_about_grey(pixels, largest))


def _about_colors(pixels: np.ndarray) -> str:
    known = {tuple(color) for color in COLORS.tolist()}
    if {tuple(color) for color in np.unique(pixels.reshape(-1, 3), axis=0).tolist()} <= known:
        return f"a picture in CelebAMask-HQ's colours, expected one channel of ids 0 to {NUM_IDS - 1}"
    return f"a colour picture, expected one channel of ids 0 to {NUM_IDS - 1}"


def _about_grey(pixels: np.ndarray, largest: int) -> str:
    values = set(np.unique(pixels).tolist())
    if values <= {0, 255}:
        return f"black and white, the mask of one part; expected all parts as ids 0 to {NUM_IDS - 1}"
    return f"values up to {largest} ({len(values)} different), expected ids 0 to {NUM_IDS - 1}"
