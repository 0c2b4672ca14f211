"""The StyleGAN2 discriminator: resnet, skip and orig architectures, minibatch statistics, projected labels."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facegen.networks.stylegan2.generator import Architecture, block_resolutions, channels_at
from facegen.networks.stylegan2.layers import (
    RESAMPLE_FILTER,
    Conv2dLayer,
    FullyConnectedLayer,
    MappingNetwork,
    MinibatchStdLayer,
    layout,
)
from facegen.ops import downsample2d, setup_filter


class DiscriminatorBlock(nn.Module):
    """All layers of one resolution; the first block (`in_channels=0`) and every skip block read the image."""

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        resolution: int,
        img_channels: int,
        first_layer_idx: int,
        architecture: Architecture = "resnet",
        activation: str = "lrelu",
        resample_filter: Sequence[float] = RESAMPLE_FILTER,
        conv_clamp: float | None = None,
        use_fp16: bool = False,
        fp16_channels_last: bool = False,
        freeze_layers: int = 0,
    ) -> None:
        super().__init__()
        self.in_channels, self.resolution, self.img_channels = in_channels, resolution, img_channels
        self.architecture, self.use_fp16 = architecture, use_fp16
        self.half_dtype: torch.dtype | None = None
        self.resample_filter: Tensor
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.num_layers = 0

        def trainable() -> Iterator[bool]:
            while True:
                self.num_layers += 1
                yield first_layer_idx + self.num_layers > freeze_layers

        unfrozen = trainable()
        shared: dict[str, Any] = {"activation": activation, "conv_clamp": conv_clamp}
        if in_channels == 0 or architecture == "skip":
            self.fromrgb = Conv2dLayer(img_channels, tmp_channels, kernel_size=1, trainable=next(unfrozen), **shared)
        self.conv0 = Conv2dLayer(tmp_channels, tmp_channels, kernel_size=3, trainable=next(unfrozen), **shared)
        self.conv1 = Conv2dLayer(
            tmp_channels,
            out_channels,
            kernel_size=3,
            down=2,
            trainable=next(unfrozen),
            resample_filter=resample_filter,
            **shared,
        )
        if architecture == "resnet":
            self.skip = Conv2dLayer(
                tmp_channels,
                out_channels,
                kernel_size=1,
                bias=False,
                down=2,
                trainable=next(unfrozen),
                resample_filter=resample_filter,
            )

    def forward(self, x: Tensor | None, img: Tensor | None, force_fp32: bool = False) -> tuple[Tensor, Tensor | None]:
        """Features (N, in, R, R) and image (N, 3, R, R) to those of half the resolution."""
        source = x if x is not None else img
        assert source is not None
        dtype = torch.float32
        if self.use_fp16 and not force_fp32:
            dtype = self.half_dtype or (torch.float16 if source.is_cuda else torch.float32)
        memory_format = layout(dtype, source.device)
        if x is not None:
            x = x.to(dtype=dtype, memory_format=memory_format)
        if self.in_channels == 0 or self.architecture == "skip":
            assert img is not None
            img = img.to(dtype=dtype, memory_format=memory_format)
            y = self.fromrgb(img)
            x = y if x is None else x + y
            img = downsample2d(img, self.resample_filter) if self.architecture == "skip" else None
        assert x is not None
        if self.architecture == "resnet":
            residual = self.skip(x, gain=np.sqrt(0.5))
            x = self.conv1(self.conv0(x), gain=np.sqrt(0.5))
            return residual + x, img
        return self.conv1(self.conv0(x)), img


class DiscriminatorEpilogue(nn.Module):
    """The 4x4 block: minibatch statistics, one convolution, two linear layers; labels by projection."""

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        resolution: int,
        img_channels: int,
        architecture: Architecture = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.cmap_dim, self.architecture = cmap_dim, architecture
        if architecture == "skip":
            self.fromrgb = Conv2dLayer(img_channels, in_channels, kernel_size=1, activation=activation)
        self.mbstd = MinibatchStdLayer(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels > 0 else None
        self.conv = Conv2dLayer(
            in_channels + mbstd_num_channels, in_channels, kernel_size=3, activation=activation, conv_clamp=conv_clamp
        )
        self.fc = FullyConnectedLayer(in_channels * resolution**2, in_channels, activation=activation)
        self.out = FullyConnectedLayer(in_channels, 1 if cmap_dim == 0 else cmap_dim)

    def forward(self, x: Tensor, img: Tensor | None, cmap: Tensor | None) -> Tensor:
        """(N, C, 4, 4), image and mapped label (N, cmap_dim) to logits (N, 1). Always in float32."""
        x = x.to(torch.float32)
        if self.architecture == "skip":
            assert img is not None
            x = x + self.fromrgb(img.to(torch.float32))
        if self.mbstd is not None:
            x = self.mbstd(x)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        if self.cmap_dim > 0:
            assert cmap is not None
            x = (x * cmap).sum(dim=1, keepdim=True) / np.sqrt(self.cmap_dim)
        return x


class Discriminator(nn.Module):
    """StyleGAN2 discriminator: images (N, img_channels, R, R) and labels (N, c_dim) to logits (N, 1)."""

    def __init__(
        self,
        c_dim: int = 0,
        img_resolution: int = 256,
        img_channels: int = 3,
        architecture: Architecture = "resnet",
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        conv_clamp: float | None = 256,
        cmap_dim: int | None = None,
        block_kwargs: dict[str, Any] | None = None,
        mapping_kwargs: dict[str, Any] | None = None,
        epilogue_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.init_kwargs = {
            "c_dim": c_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "architecture": architecture,
            "channel_base": channel_base,
            "channel_max": channel_max,
            "num_fp16_res": num_fp16_res,
            "conv_clamp": conv_clamp,
            "cmap_dim": cmap_dim,
            "block_kwargs": dict(block_kwargs or {}),
            "mapping_kwargs": dict(mapping_kwargs or {}),
            "epilogue_kwargs": dict(epilogue_kwargs or {}),
        }
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        self.block_resolutions = block_resolutions(img_resolution)[:0:-1]
        lowest = channels_at(4, channel_base, channel_max)
        cmap_dim = 0 if c_dim == 0 else (lowest if cmap_dim is None else cmap_dim)
        shared: dict[str, Any] = {
            "img_channels": img_channels,
            "architecture": architecture,
            "conv_clamp": conv_clamp,
        }
        num_layers = 0
        for index, resolution in enumerate(self.block_resolutions):
            channels = channels_at(resolution, channel_base, channel_max)
            block = DiscriminatorBlock(
                0 if index == 0 else channels,
                channels,
                channels_at(resolution // 2, channel_base, channel_max),
                resolution,
                first_layer_idx=num_layers,
                use_fp16=index < num_fp16_res,
                **(block_kwargs or {}),
                **shared,
            )
            setattr(self, f"b{resolution}", block)
            num_layers += block.num_layers
        if c_dim > 0:
            self.mapping = MappingNetwork(0, c_dim, cmap_dim, num_ws=None, w_avg_beta=None, **(mapping_kwargs or {}))
        self.b4 = DiscriminatorEpilogue(lowest, cmap_dim, resolution=4, **(epilogue_kwargs or {}), **shared)

    def forward(self, img: Tensor, c: Tensor | None = None, force_fp32: bool = False) -> Tensor:
        """Raw logits; positive means real."""
        expected = (self.img_channels, self.img_resolution, self.img_resolution)
        if img.shape[1:] != expected:
            raise ValueError(f"discriminator: got images of shape {tuple(img.shape[1:])}, expected {expected}")
        x: Tensor | None = None
        rest: Tensor | None = img
        for resolution in self.block_resolutions:
            x, rest = getattr(self, f"b{resolution}")(x, rest, force_fp32=force_fp32)
        if x is None:
            raise ValueError("discriminator: img_resolution must be at least 8")
        cmap = self.mapping(None, c) if self.c_dim > 0 else None
        return self.b4(x, rest, cmap)
