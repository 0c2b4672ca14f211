"""From rendered features to the image: two modulated blocks that add detail and know the style, but not the camera."""

from typing import Any, NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.stylegan2 import SynthesisBlock
from facegen.networks.stylegan2.layers import RESAMPLE_FILTER
from facegen.ops import setup_filter


class Plan(NamedTuple):
    """Shape of a published module: what it is given, how it upsamples, how wide it is."""

    input_resolution: int
    ups: tuple[int, int]
    channels: tuple[int, int]
    resample_smaller_only: bool = False
    antialias: bool = True
    has_filter: bool = True  # a buffer that nothing reads, which the released weights contain

    @property
    def resolution(self) -> int:
        """Side of the image."""
        return self.input_resolution * self.ups[0] * self.ups[1]


SUPERRESOLUTION: dict[str, Plan] = {
    "SuperresolutionHybrid8X": Plan(128, (2, 2), (128, 64)),
    "SuperresolutionHybrid8XDC": Plan(128, (2, 2), (256, 128), has_filter=False),
    "SuperresolutionHybrid4X": Plan(128, (1, 2), (128, 64), resample_smaller_only=True),
    "SuperresolutionHybrid2X": Plan(64, (1, 2), (128, 64)),
    "SuperresolutionHybridDeepfp32": Plan(128, (1, 2), (128, 64), resample_smaller_only=True, antialias=False),
}


def tiny_plan(resolution: int, channels: tuple[int, int] = (32, 16)) -> Plan:
    """A 2X module for another image size, in the published pattern."""
    return Plan(resolution // 2, (1, 2), channels)


class Superresolution(nn.Module):
    """Two blocks over features (N, channels, r, r) and their first three channels as the image so far.

    plan: by the official class name (with or without its module), or a `Plan`. Only the last w is used, three times.
    """

    def __init__(
        self,
        plan: str | Plan,
        channels: int,
        img_resolution: int,
        sr_num_fp16_res: int = 0,
        sr_antialias: bool = True,
        w_dim: int = 512,
        num_fp16_res: int = 4,
        conv_clamp: float | None = None,
        channel_base: int | None = None,
        channel_max: int | None = None,
        **block_kwargs: Any,
    ) -> None:
        super().__init__()
        self.plan = _planned(plan)
        if img_resolution != self.plan.resolution:
            raise ValueError(
                f"superresolution: got images of {img_resolution} pixels, expected {self.plan.resolution} for {plan}"
            )
        self.antialias = sr_antialias and self.plan.antialias
        half = sr_num_fp16_res > 0
        shared: dict[str, Any] = {"img_channels": 3, "use_fp16": half, "conv_clamp": 256 if half else None}
        shared |= block_kwargs
        first, second = self.plan.channels
        between = self.plan.input_resolution * self.plan.ups[0]
        self.block0 = SynthesisBlock(channels, first, w_dim, between, is_last=False, up=self.plan.ups[0], **shared)
        self.block1 = SynthesisBlock(first, second, w_dim, img_resolution, is_last=True, up=self.plan.ups[1], **shared)
        if self.plan.has_filter:
            self.register_buffer("resample_filter", setup_filter(RESAMPLE_FILTER))

    def forward(
        self,
        rgb: Float[Tensor, "batch 3 height width"],
        x: Float[Tensor, "batch channel height width"],
        ws: Float[Tensor, "batch num_ws w_dim"],
        **block_kwargs: Any,
    ) -> Float[Tensor, "batch 3 height2 width2"]:
        """Images (N, 3, R, R) of any features, which are resized to the module's own input size first."""
        ws = ws[:, -1:].expand(-1, 3, -1)
        size = self.plan.input_resolution
        smaller, other = x.shape[-1] < size, x.shape[-1] != size
        if smaller or (other and not self.plan.resample_smaller_only):
            x, rgb = (self._resize(value, size) for value in (x, rgb))
        x, rgb = self.block0(x, rgb, ws, **block_kwargs)
        x, rgb = self.block1(x, rgb, ws, **block_kwargs)
        return rgb

    def _resize(self, x: Tensor, size: int) -> Tensor:
        # Antialiasing changes nothing where the image grows, and PyTorch's kernel for it is much slower.
        shrinks = x.shape[-1] > size
        return F.interpolate(x, size=(size, size), mode="bilinear", antialias=self.antialias and shrinks)


def _planned(plan: str | Plan) -> Plan:
    if isinstance(plan, Plan):
        return plan
    found = SUPERRESOLUTION.get(plan.rpartition(".")[2])
    if found is None:
        raise ValueError(f"superresolution_module: got {plan!r}, expected one of {', '.join(SUPERRESOLUTION)}")
    return found
