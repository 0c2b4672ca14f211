"""The crops of a face: realigned as LPFF does, then EG3D's and StyleGAN's, and a short hash of what they show."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import UInt8
from PIL import Image

from facegen.checkpoint import atomic_write
from facegen.curation.faces import vector
from facegen.curation.frames import REALIGN_SIZE, REALIGN_TRANSFORM, realign_size
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import Row, Stage
from facegen.geometry.alignment import eg3d_crop, quad_crop

KINDS = ("eg3d", "stylegan")
CROPS, SET_ASIDE = "crop", "rejected"  # folders of what is published, and of crops whose faces were rejected later
HASH_SIDE = 16  # a difference hash of 16 x 16 bits
_CLEARLY = 2.0  # grey levels
_OVERSAMPLED = 2  # a realigned picture of less than 2400 pixels is sampled finer and then reduced, as that of 2400 is
_STYLEGAN_OVERSAMPLED = 4  # 4096 for 1024, as published
_PNG_LEVEL = 1  # four times faster to write than Pillow's default, 10 % larger


def crop_path(out: Path, folder: str, kind: str, face: str) -> Path:
    """Where a crop lies."""
    return out / folder / kind / f"{face}.png"


def crops_stage(root: str, out: str, stylegan_size: int, realign: int | None) -> Stage:
    """Write both crops of a face. `realign`: side of the realigned picture, None for `realign_size`."""
    columns = [("realign_size", pa.int32()), ("realign2400_landmarks", vector(136)), ("landmarks", vector(136))]
    schema = pa.schema([*columns, ("difference_hash", pa.string())])
    settings, context = {"stylegan_size": stylegan_size, "realign": realign}, {"root": root, "out": out}
    return Stage("crops", 1, _crops, ("id", *PLACE, "landmarks68"), schema, settings, context, chunk=4)


def _crops(row: Row, stylegan_size: int, realign: int | None, root: str, out: str) -> Row:
    """1. Upright on a square 1.8 times FFHQ's, padded where the photograph ends. 2. Both crops out of that."""
    pixels, points = read_photograph(row, root).pixels, np.reshape(row["landmarks68"], (68, 2)).astype(np.float64)
    side = realign_size(points, (pixels.shape[1], pixels.shape[0])) if realign is None else realign
    sampled = max(REALIGN_TRANSFORM, side) if side >= REALIGN_SIZE else side * _OVERSAMPLED
    realigned = quad_crop(pixels, points, side, sampled, "lpff_realign", minimum_side=0)
    eg3d = eg3d_crop(realigned.image, realigned.landmarks)
    fine = stylegan_size * _STYLEGAN_OVERSAMPLED
    stylegan = quad_crop(realigned.image, realigned.landmarks, stylegan_size, fine, "lpff_stylegan")
    for kind, image in zip(KINDS, (eg3d.image, stylegan.image), strict=True):
        write_png(image, crop_path(Path(out), CROPS, kind, row["id"]))
    return {
        "realign_size": side,
        "realign2400_landmarks": (realigned.landmarks * (REALIGN_SIZE / side)).ravel().tolist(),
        "landmarks": eg3d.landmarks.ravel().tolist(),
        "difference_hash": difference_hash(eg3d.image),
    }


def write_png(image: UInt8[np.ndarray, "height width 3"], path: Path) -> None:
    """Write a picture quickly, whole or not at all."""
    with atomic_write(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG", compress_level=_PNG_LEVEL)


def difference_hash(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """256 bits in hexadecimal: whether each cell of a 16 x 17 grid is clearly brighter than its neighbour to the left.

    The hash of nearly the same picture differs in a few bits, that of another face in some fifty of them. `Clearly`:
    on an even wall the brighter one of two cells is a matter of chance.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    cells = cv2.resize(grey, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(cells[:, 1:] > cells[:, :-1] + _CLEARLY).tobytes().hex()
