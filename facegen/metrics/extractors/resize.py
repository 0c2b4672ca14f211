"""The resize filters that definitions of features name. All take uint8 or float (N, 3, H, W) and give float32."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def resize_antialiased(images: Tensor, size: int, mode: str = "bicubic") -> Float[Tensor, "batch 3 size size"]:
    """Antialiased bicubic (a = -0.5, Pillow's) or bilinear resize by torch, to `size` x `size`, not rounded."""
    images = images.float()
    if images.shape[2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode=mode, antialias=True)
