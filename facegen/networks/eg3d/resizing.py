"""Resizing and blurring of the images that the dual discriminator compares (EG3D, section 4.3)."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.ops import filter2d, upfirdn2d, upsample2d

Images = Float[Tensor, "batch channel height width"]


def filtered_resizing(images: Images, size: int, f: Tensor, filter_mode: str | float = "antialiased") -> Images:
    """Resize to `size` x `size`: `antialiased` bilinear, `none` (plain bilinear), `classic` or a mixture t.

    `classic` upsamples with `f`, takes plain bilinear samples, and downsamples with `f`; a number t in [0, 1] is
    t antialiased + (1 - t) plain.
    """
    if filter_mode == "antialiased":
        return _bilinear(images, size, antialias=True)
    if filter_mode == "none":
        return _bilinear(images, size)
    if filter_mode == "classic":
        images = _bilinear(upsample2d(images, f, up=2), size * 2 + 2)
        # One pixel is cropped at each side: it saw the zeros beyond the border.
        width = f.shape[-1]
        pads = ((width - 1) // 2 - 1, (width - 2) // 2 - 1)
        return upfirdn2d(images, f, down=2, padding=(*pads, *pads), flip_filter=True)
    if isinstance(filter_mode, int | float) and 0 <= filter_mode <= 1:
        return torch.lerp(_bilinear(images, size), _bilinear(images, size, antialias=True), filter_mode)
    raise ValueError(f"filter_mode: got {filter_mode!r}, expected antialiased, classic, none or a number from 0 to 1")


def _bilinear(images: Tensor, size: int, antialias: bool = False) -> Tensor:
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=antialias)


def blur(images: Images, sigma: float) -> Images:
    """Filter with taps `2^-((k / sigma)^2)`, |k| <= floor(3 sigma), of sum one; unchanged when that leaves one tap."""
    radius = math.floor(sigma * 3)
    if radius < 1:
        return images
    taps = torch.arange(-radius, radius + 1, device=images.device).div(sigma).square().neg().exp2()
    return filter2d(images, taps / taps.sum())
