"""The network that says which part of a face each pixel shows: a UNet (Ronneberger et al. 2015) with group norms."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3x3 convolutions after a group norm and a SiLU each, plus the input (1x1 where its width differs)."""

    def __init__(self, inputs: int, width: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, inputs), nn.Conv2d(inputs, width, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, width), nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = None if inputs == width else nn.Conv2d(inputs, width, 1)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Tensor:
        """The block's output."""
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return y + (x if self.shortcut is None else self.shortcut(x))


class ParsingNetwork(nn.Module):
    """Pictures (N, 3, R, R) in [-1, 1], RGB, to logits (N, K, R, R) of K parts.

    parts: what the ids 0, 1, ... K-1 stand for, in their order; whoever compares masks looks at it. size: side of the
    pictures that it is trained on; other sides work where the halvings come out even. widths: channels at each
    resolution, the first at that of the picture, each next one at half the last; multiples of `groups`. blocks: at each
    resolution on the way down; one on the way up. Normalisation is within each picture, so what is seen in one does not
    depend on the others.
    """

    def __init__(
        self,
        parts: Sequence[str],
        size: int = 512,
        widths: Sequence[int] = (32, 64, 128, 256, 256, 256),
        blocks: int = 1,
        groups: int = 8,
    ) -> None:
        super().__init__()
        parts, widths = list(parts), list(widths)
        _check(parts, size, widths, blocks, groups)
        self.init_kwargs: dict[str, Any] = {
            "parts": parts,
            "size": size,
            "widths": widths,
            "blocks": blocks,
            "groups": groups,
        }
        self.parts, self.size, self.halvings = tuple(parts), size, len(widths) - 1
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        wider = zip([widths[0], *widths], widths, strict=False)
        self.down = nn.ModuleList(
            nn.Sequential(*(Block(inputs if number == 0 else width, width, groups) for number in range(blocks)))
            for inputs, width in wider
        )
        self.up = nn.ModuleList(
            Block(above + width, width, groups) for above, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.norm, self.head = nn.GroupNorm(groups, widths[0]), nn.Conv2d(widths[0], len(parts), 1)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch part height width"]:
        """Logits. Raises ValueError for a side that the halvings do not divide."""
        step = 2**self.halvings
        if images.shape[2] % step or images.shape[3] % step:
            got = f"{images.shape[2]}x{images.shape[3]}"
            raise ValueError(f"parsing: got pictures of {got}, expected sides that are multiples of {step}")
        x, kept = self.stem(images), []
        for level, blocks in enumerate(self.down):
            x = blocks(x if level == 0 else F.avg_pool2d(x, 2))
            kept.append(x)
        kept.pop()
        for block in self.up:
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), kept.pop()], dim=1))
        return self.head(F.silu(self.norm(x)))


def parse(
    network: ParsingNetwork, images: Float[Tensor, "batch 3 height width"]
) -> Int[Tensor, "batch 1 height width"]:
    """The likeliest part of each pixel of pictures in [-1, 1] of any size, at that size."""
    side = (network.size, network.size)
    fits = tuple(images.shape[2:]) == side
    logits = network(images if fits else F.interpolate(images, side, mode="bilinear", antialias=True))
    logits = logits if fits else F.interpolate(logits, images.shape[2:], mode="bilinear", antialias=True)
    return logits.argmax(dim=1, keepdim=True)


def _check(parts: Sequence[str], size: int, widths: Sequence[int], blocks: int, groups: int) -> None:
    if len(parts) < 2 or len(set(parts)) != len(parts):
        raise ValueError(f"parts: got {list(parts)}, expected the names of at least two different parts")
    if not widths or any(width < 1 or width % groups for width in widths):
        raise ValueError(f"widths: got {list(widths)}, expected multiples of groups={groups}")
    if blocks < 1:
        raise ValueError(f"blocks: got {blocks}, expected at least 1")
    if size < 1 or size % 2 ** (len(widths) - 1):
        raise ValueError(f"size: got {size}, expected a multiple of {2 ** (len(widths) - 1)} for {len(widths)} widths")
