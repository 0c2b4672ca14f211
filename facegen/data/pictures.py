"""Batches of images as pictures that people look at: bytes, sheets, PNG files."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from facegen.checkpoint import atomic_write


def to_uint8(images: Float[Tensor, "batch channel height width"]) -> UInt8[Tensor, "batch channel height width"]:
    """[-1, 1] to [0, 255] as the official scripts do it: 127.5 x + 128, cut off at both ends, fractions dropped."""
    return (images.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8)


def tile(
    images: UInt8[Tensor, "batch channel height width"], columns: int
) -> UInt8[np.ndarray, "rows columns channel"]:
    """Images as one sheet, row by row; their number is a multiple of `columns`."""
    return rearrange(images, "(r c) k h w -> (r h) (c w) k", c=columns).cpu().numpy()


def save_png(picture: UInt8[np.ndarray, "height width 3"], path: Path) -> Path:
    """Write a picture, whole or not at all."""
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
    return path
