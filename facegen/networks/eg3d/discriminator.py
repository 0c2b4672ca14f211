"""Discriminators that see the image together with the rendering it was made from (EG3D, section 4.3)."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.networks.eg3d.resizing import filtered_resizing
from facegen.networks.stylegan2 import Discriminator
from facegen.networks.stylegan2.layers import RESAMPLE_FILTER
from facegen.ops import setup_filter


class ImagePair(NamedTuple):
    """An image and its low-resolution rendering, both about [-1, 1]."""

    image: Float[Tensor, "batch 3 height width"]
    image_raw: Float[Tensor, "batch 3 raw_height raw_width"]


class _CameraDiscriminator(Discriminator):
    """StyleGAN2's discriminator on pairs. disc_c_noise: noise on labels, in standard deviations over the batch."""

    def __init__(
        self,
        c_dim: int = 25,
        img_resolution: int = 512,
        img_channels: int = 3,
        *,
        images: int,
        disc_c_noise: float = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(c_dim, img_resolution, img_channels * images, **kwargs)
        self.init_kwargs |= {"img_channels": img_channels, "disc_c_noise": disc_c_noise}
        self.disc_c_noise = disc_c_noise

    def logits(self, images: Tensor, c: Tensor | None, randn: Any, force_fp32: bool) -> Tensor:
        if self.disc_c_noise > 0 and c is not None:
            c = c + (randn or torch.randn)(c.shape, device=c.device) * c.std(0) * self.disc_c_noise
        return super().forward(images, c, force_fp32=force_fp32)


class DualDiscriminator(_CameraDiscriminator):
    """Six channels: the image, and the rendering resized to its size. (N, 3, R, R) pairs, (N, c_dim) to (N, 1)."""

    def __init__(self, c_dim: int = 25, img_resolution: int = 512, img_channels: int = 3, **kwargs: Any) -> None:
        super().__init__(c_dim, img_resolution, img_channels, images=2, **kwargs)
        self.resample_filter: Tensor
        self.register_buffer("resample_filter", setup_filter(RESAMPLE_FILTER))

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, img: ImagePair, c: Tensor | None = None, randn: Any = None, force_fp32: bool = False
    ) -> Float[Tensor, "batch 1"]:
        """Raw logits; positive means real. `img` is anything with `image` and `image_raw`."""
        raw = filtered_resizing(img.image_raw, img.image.shape[-1], self.resample_filter)
        return self.logits(torch.cat([img.image, self.shown(raw)], dim=1), c, randn, force_fp32)

    def shown(self, raw: Tensor) -> Tensor:
        """The rendering as this discriminator sees it."""
        return raw


class DummyDualDiscriminator(DualDiscriminator):
    """A dual discriminator from which the rendering fades out: it is multiplied by `raw_fade`.

    The published one lowers `raw_fade` at every call; here whoever trains it sets it from the clock.
    """

    raw_fade = 1.0

    def shown(self, raw: Tensor) -> Tensor:
        """The faded rendering."""
        return raw * self.raw_fade


class SingleDiscriminator(_CameraDiscriminator):
    """Sees the image only."""

    def __init__(self, c_dim: int = 25, img_resolution: int = 512, img_channels: int = 3, **kwargs: Any) -> None:
        super().__init__(c_dim, img_resolution, img_channels, images=1, **kwargs)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, img: ImagePair, c: Tensor | None = None, randn: Any = None, force_fp32: bool = False
    ) -> Float[Tensor, "batch 1"]:
        """Raw logits; positive means real."""
        return self.logits(img.image, c, randn, force_fp32)
