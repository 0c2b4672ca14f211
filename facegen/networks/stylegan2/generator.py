"""The StyleGAN2 generator: mapping network, modulated synthesis layers, skip / resnet / orig architectures."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from facegen.networks.stylegan2.layers import (
    RESAMPLE_FILTER,
    Conv2dLayer,
    FullyConnectedLayer,
    MappingNetwork,
    layout,
)
from facegen.ops import bias_act, modulated_conv2d, setup_filter, upsample2d
from facegen.ops.activations import activation as get_activation

NoiseMode = Literal["random", "const", "none"]
Architecture = Literal["orig", "skip", "resnet"]
Randn = Callable[..., Tensor]


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias and activation: (N, in, H, W), (N, w_dim) to (N, out, R, R)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        kernel_size: int = 3,
        up: int = 1,
        use_noise: bool = True,
        activation: str = "lrelu",
        resample_filter: Sequence[float] = RESAMPLE_FILTER,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.use_noise = resolution, up, use_noise
        self.activation, self.conv_clamp = activation, conv_clamp
        self.resample_filter: Tensor
        self.noise_const: Tensor
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.padding = kernel_size // 2
        self.act_gain = get_activation(activation).gain
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, kernel_size, kernel_size]))
        if use_noise:
            self.register_buffer("noise_const", torch.randn([resolution, resolution]))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))

    def noise(self, batch: int, mode: NoiseMode, randn: Randn | None) -> Tensor | None:
        """Scaled noise of shape (N, 1, R, R) or (R, R)."""
        if not self.use_noise or mode == "none":
            return None
        if mode == "const":
            return self.noise_const * self.noise_strength
        shape = [batch, 1, self.resolution, self.resolution]
        return (randn or torch.randn)(shape, device=self.weight.device) * self.noise_strength

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        noise_mode: NoiseMode = "random",
        gain: float = 1,
        fused_modconv: bool = False,
        randn: Randn | None = None,
    ) -> Tensor:
        """`gain` multiplies the result, before a clamp that scales with it."""
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        gain = self.act_gain * gain
        # For homogeneous activations the gain goes into the per-channel factors instead of the large result.
        early = gain if get_activation(self.activation).homogeneous else 1.0
        noise = self.noise(x.shape[0], noise_mode, randn)
        x = modulated_conv2d(
            x,
            self.weight,
            self.affine(w),
            None if noise is None else noise * early,
            up=self.up,
            padding=self.padding,
            resample_filter=self.resample_filter,
            flip_weight=self.up == 1,
            fused_modconv=fused_modconv,
            gain=early,
        )
        bias = (self.bias * early).to(x.dtype)
        return bias_act(x, bias, act=self.activation, gain=gain / early, clamp=clamp, inplace=True)


class ToRGBLayer(nn.Module):
    """Modulated 1x1 convolution to image channels, without demodulation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        kernel_size: int = 1,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, kernel_size, kernel_size]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))
        self.weight_gain = 1 / np.sqrt(in_channels * kernel_size**2)

    def forward(self, x: Tensor, w: Tensor, fused_modconv: bool = False) -> Tensor:
        """(N, in, R, R), (N, w_dim) to (N, out, R, R)."""
        styles = self.affine(w) * self.weight_gain
        x = modulated_conv2d(x, self.weight, styles, demodulate=False, fused_modconv=fused_modconv)
        return bias_act(x, self.bias.to(x.dtype), clamp=self.conv_clamp, inplace=True)


class SynthesisBlock(nn.Module):
    """All layers of one resolution. The 4x4 block (`in_channels=0`) starts from a learned constant.

    `up` is the ratio to the resolution of the block before; with 1 the image is not resampled either.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        architecture: Architecture = "skip",
        resample_filter: Sequence[float] = RESAMPLE_FILTER,
        conv_clamp: float | None = None,
        use_fp16: bool = False,
        fp16_channels_last: bool = False,
        fused_modconv_default: bool | Literal["inference_only"] = "inference_only",
        up: int = 2,
        **layer_kwargs: Any,
    ) -> None:
        super().__init__()
        if architecture not in ("orig", "skip", "resnet"):
            raise ValueError(f"architecture: got {architecture!r}, expected orig, skip or resnet")
        self.in_channels, self.w_dim, self.resolution, self.img_channels = in_channels, w_dim, resolution, img_channels
        self.is_last, self.architecture, self.use_fp16, self.up = is_last, architecture, use_fp16, up
        self.fused_modconv_default = fused_modconv_default
        self.half_dtype: torch.dtype | None = None
        self.resample_filter: Tensor
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.num_conv = self.num_torgb = 0
        shared: dict[str, Any] = {"conv_clamp": conv_clamp, **layer_kwargs}
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn([out_channels, resolution, resolution]))
        else:
            self.conv0 = SynthesisLayer(
                in_channels, out_channels, w_dim, resolution, up=up, resample_filter=resample_filter, **shared
            )
            self.num_conv += 1
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, **shared)
        self.num_conv += 1
        if is_last or architecture == "skip":
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp=conv_clamp)
            self.num_torgb += 1
        if in_channels != 0 and architecture == "resnet":
            self.skip = Conv2dLayer(
                in_channels, out_channels, kernel_size=1, bias=False, up=up, resample_filter=resample_filter
            )

    def compute_dtype(self, device: torch.device, force_fp32: bool) -> torch.dtype:
        """Half precision where the block is configured for it: float16 on a GPU unless `half_dtype` says otherwise."""
        if not self.use_fp16 or force_fp32:
            return torch.float32
        return self.half_dtype or (torch.float16 if device.type == "cuda" else torch.float32)

    def _fused(self, fused_modconv: bool | None, device: torch.device) -> bool:
        if fused_modconv is not None:
            return fused_modconv
        # Per-sample kernels save memory traffic on a GPU only; on a CPU the shared kernel is always faster.
        if self.fused_modconv_default == "inference_only":
            return not self.training and device.type == "cuda"
        return bool(self.fused_modconv_default)

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        force_fp32: bool = False,
        fused_modconv: bool | None = None,
        noise_mode: NoiseMode = "random",
        randn: Randn | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """ws: (N, num_conv + num_torgb, w_dim). Returns features and the image so far (None before the first ToRGB)."""
        w = iter(ws.unbind(dim=1))
        dtype = self.compute_dtype(ws.device, force_fp32)
        memory_format = layout(dtype, ws.device)
        fused = self._fused(fused_modconv, ws.device)
        layer: dict[str, Any] = {"noise_mode": noise_mode, "fused_modconv": fused, "randn": randn}
        if self.in_channels == 0:
            x = self.const.to(dtype)[None].expand(ws.shape[0], -1, -1, -1).contiguous(memory_format=memory_format)
            x = self.conv1(x, next(w), **layer)
        else:
            assert x is not None
            x = x.to(dtype=dtype, memory_format=memory_format)
            if self.architecture == "resnet":
                residual = self.skip(x, gain=np.sqrt(0.5))
                x = self.conv0(x, next(w), **layer)
                x = residual + self.conv1(x, next(w), gain=np.sqrt(0.5), **layer)
            else:
                x = self.conv0(x, next(w), **layer)
                x = self.conv1(x, next(w), **layer)
        if img is not None and self.up > 1:
            img = upsample2d(img, self.resample_filter, up=self.up)
        if self.num_torgb:
            rgb = self.torgb(x, next(w), fused_modconv=fused).to(torch.float32)
            img = rgb if img is None else rgb.add_(img)
        return x, img


def channels_at(resolution: int, channel_base: int, channel_max: int) -> int:
    """Number of feature maps at a resolution."""
    return min(channel_base // resolution, channel_max)


def block_resolutions(img_resolution: int) -> list[int]:
    """4, 8, ... up to the image's, which must be a power of two."""
    log2 = img_resolution.bit_length() - 1
    if img_resolution < 4 or img_resolution != 2**log2:
        raise ValueError(f"img_resolution: got {img_resolution}, expected a power of two of at least 4")
    return [2**i for i in range(2, log2 + 1)]


class SynthesisNetwork(nn.Module):
    """Blocks from 4x4 to the image's resolution: (N, num_ws, w_dim) to (N, img_channels, R, R)."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        **block_kwargs: Any,
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.block_resolutions = block_resolutions(img_resolution)
        self.num_ws = 0
        in_channels = 0
        for index, resolution in enumerate(self.block_resolutions):
            out_channels = channels_at(resolution, channel_base, channel_max)
            is_last = resolution == img_resolution
            # The `num_fp16_res` highest resolutions compute in half precision; 4x4 never does.
            use_fp16 = index > 0 and len(self.block_resolutions) - index <= num_fp16_res
            block = SynthesisBlock(
                in_channels,
                out_channels,
                w_dim,
                resolution,
                img_channels,
                is_last,
                use_fp16=use_fp16,
                **block_kwargs,
            )
            self.num_ws += block.num_conv + (block.num_torgb if is_last else 0)
            setattr(self, f"b{resolution}", block)
            in_channels = out_channels

    def forward(self, ws: Tensor, **block_kwargs: Any) -> Tensor:
        """A ToRGB layer takes the w after its block's convolutions, which the next block's first layer takes too."""
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"synthesis: got ws of shape {tuple(ws.shape)}, expected (N, {self.num_ws}, {self.w_dim})")
        ws = ws.to(torch.float32)
        x = img = None
        start = 0
        for resolution in self.block_resolutions:
            block: SynthesisBlock = getattr(self, f"b{resolution}")
            x, img = block(x, img, ws[:, start : start + block.num_conv + block.num_torgb], **block_kwargs)
            start += block.num_conv
        assert img is not None
        return img


class Generator(nn.Module):
    """StyleGAN2 generator: latents (N, z_dim), labels (N, c_dim) to images (N, img_channels, R, R), about [-1, 1]."""

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 256,
        img_channels: int = 3,
        mapping_kwargs: dict[str, Any] | None = None,
        synthesis_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.init_kwargs = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "mapping_kwargs": dict(mapping_kwargs or {}),
            "synthesis_kwargs": dict(synthesis_kwargs or {}),
        }
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **synthesis_kwargs: Any,
    ) -> Tensor:
        """Map, then synthesise; see `mapping` and `synthesis`, which can be called by themselves."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, **synthesis_kwargs)
