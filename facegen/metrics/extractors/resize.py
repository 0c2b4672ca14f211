"""Pixels as definitions of features want them: resize filters, normalisation, fixed crops. Values stay in 0..255."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

Images = UInt8[Tensor, "batch 3 height width"]
Resized = Float[Tensor, "batch 3 size size"]


def antialiased_bicubic(images: Images, size: int) -> Resized:
    """Bicubic (a = -0.5), antialiased, by torch in float32, not rounded and not clamped."""
    pixels = images.float()
    if images.shape[2:] == (size, size):
        return pixels
    return F.interpolate(pixels, size=(size, size), mode="bicubic", antialias=True)


def legacy_bilinear(images: Images, size: int) -> Resized:
    """TensorFlow 1's bilinear resize: pixel i of the result lies at i * (old / new), without antialiasing.

    The corner of the picture instead of the centre of a pixel is the origin, so that it shifts by half a pixel.
    """
    rows, row_part = _legacy_places(images.shape[2], size, images.device)
    columns, column_part = _legacy_places(images.shape[3], size, images.device)
    pixels = images.float()
    pixels = torch.lerp(pixels[:, :, :, columns[0]], pixels[:, :, :, columns[1]], column_part)
    return torch.lerp(pixels[:, :, rows[0]], pixels[:, :, rows[1]], row_part[:, None])


def _legacy_places(old: int, new: int, device: torch.device) -> tuple[tuple[Tensor, Tensor], Tensor]:
    places = torch.arange(new, dtype=torch.float32, device=device) * torch.tensor(old / new, dtype=torch.float32)
    lower = places.long()
    return (lower, (lower + 1).clamp(max=old - 1)), places - lower


def clean_bicubic(images: Images, size: int) -> Resized:
    """Parmar et al. 2022 ("clean-fid"): Pillow's antialiased bicubic on each channel in float32, clipped to 0..255."""
    planes = images.cpu().flatten(0, 1).numpy().astype(np.float32)
    resized = [np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)) for plane in planes]
    return torch.from_numpy(np.stack(resized)).clamp(0, 255).unflatten(0, (-1, 3)).to(images.device)


def pillow_bicubic(images: Images, size: int) -> Resized:
    """Pillow's antialiased bicubic on 8-bit pixels, whose result is rounded: torchvision's `Resize` of pictures."""
    pictures = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    resized = [np.asarray(Image.fromarray(p).resize((size, size), Image.Resampling.BICUBIC)) for p in pictures]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float().to(images.device)


def standardised(pixels: Resized, mean: tuple[float, float, float], deviation: tuple[float, float, float]) -> Resized:
    """(pixels / 255 - mean) / deviation, per channel."""
    shift, scale = (pixels.new_tensor(values)[:, None, None] for values in (mean, deviation))
    return (pixels / 255 - shift) / scale


class Box(NamedTuple):
    """A square in a square picture, as fractions of the picture's side."""

    left: float
    top: float
    side: float


def fixed_crop(images: Images, box: Box, size: int) -> Resized:
    """The square `box` of square pictures at `size` pixels: antialiased resize of the whole, then whole pixels."""
    if images.shape[2] != images.shape[3]:
        raise ValueError(f"identity: got pictures of {images.shape[3]}x{images.shape[2]}, expected square ones")
    whole = round(size / box.side)
    resized = antialiased_bicubic(images, whole).clamp(0, 255)
    left, top = (min(max(round(edge * whole), 0), whole - size) for edge in (box.left, box.top))
    return resized[:, :, top : top + size, left : left + size]
