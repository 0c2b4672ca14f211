"""CelebAMask-HQ's masks as they are shipped, one file for each part of each face, made into one for each face.

https://github.com/switchablenorms/CelebAMask-HQ: CelebAMask-HQ-mask-anno/<face // 2000>/<face, five digits>_<part>.png,
white where the part is; a part that a face has not has no file.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image
from tqdm import tqdm

from facegen.checkpoint import atomic_write
from facegen.data.masks import CELEBAMASK, merge_parts

SIZE = 512


def part_file(folder: Path, face: int, part: str) -> Path:
    """Where a part of a face lies below `CelebAMask-HQ-mask-anno`."""
    return folder / str(face // 2000) / f"{face:05d}_{part}.png"


def read_parts(folder: Path, face: int) -> Bool[np.ndarray, "18 512 512"]:
    """The 18 parts of a face in CelebAMask-HQ's order. Raises ValueError for a face without files, or a damaged one."""
    parts = np.zeros((len(CELEBAMASK) - 1, SIZE, SIZE), dtype=bool)
    files = [part_file(folder, face, part) for part in CELEBAMASK[1:]]
    if not any(path.exists() for path in files):
        raise ValueError(f"{files[0].parent}: no part of face {face}, such as {files[0].name}; unpack it again")
    for number, path in enumerate(files):
        if path.exists():
            parts[number] = _read(path)
    return parts


def merge_folder(folder: Path, out: Path, faces: Iterable[int]) -> None:
    """Write `out`/<face>.png, ids in CelebAMask-HQ's order, for each face; those that are there are not made again."""
    for face in tqdm(list(faces), "merging masks", unit="mask", delay=1):
        path = out / f"{face}.png"
        if not path.exists():
            with atomic_write(path) as temporary:
                Image.fromarray(merge_parts(read_parts(folder, face))).save(temporary, format="PNG")


def _read(path: Path) -> Bool[np.ndarray, "512 512"]:
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path}: not a readable picture ({error}); unpack it again") from error
    if pixels.shape[:2] != (SIZE, SIZE):
        raise ValueError(f"{path}: got {pixels.shape[1]}x{pixels.shape[0]}, expected {SIZE}x{SIZE}")
    return pixels[..., 0] != 0
