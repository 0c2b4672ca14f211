"""A transformer as the denoiser of latents: DiT with adaLN-Zero (Peebles & Xie 2023).

Our own and not thin over diffusers: its DiTTransformer2DModel is told classes only and drops them by itself, and its
PixArtTransformer2DModel is another network (one modulation for all blocks, RMS norms as options) that has to have
tokens. Here a vector joins the time, as in the paper, and tokens are attended to between self-attention and the
perceptron, as PixArt-alpha (Chen et al. 2023) adds them; without tokens it is the paper's network.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.diffusion.context import Context, Residuals

_FREQUENCIES = 256  # numbers of the embedding of a time
_MAX_PERIOD = 10000.0


class DiT(nn.Module):
    """A denoiser of latents (N, in_channels, size, size), with the forward of `UNet`.

    out_channels: as in_channels where None. size: side of the latents. patch: side of the squares that become one
    token. width, depth, heads: of the transformer; the published sizes are S: 384, 12, 6; B: 768, 12, 12; L: 1024, 24,
    16; XL: 1152, 28, 16. mlp_ratio: width of the perceptrons in widths. vector_dim, token_dim: width of what `Context`
    has, 0 for none. A new network predicts zeros, and each of its blocks changes nothing (adaLN-Zero).
    """

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int | None = None,
        size: int = 32,
        patch: int = 2,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        mlp_ratio: float = 4.0,
        vector_dim: int = 0,
        token_dim: int = 0,
    ) -> None:
        super().__init__()
        self.init_kwargs: dict[str, Any] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if size % patch:
            raise ValueError(f"patch: got {patch}, expected a divisor of the latents' side {size}")
        if width % heads or width % 4:
            raise ValueError(f"width: got {width} with {heads} heads, expected a multiple of 4 and of the heads")
        self.in_channels, self.out_channels = in_channels, in_channels if out_channels is None else out_channels
        self.size, self.patch, self.vector_dim, self.token_dim = size, patch, vector_dim, token_dim
        self.patches = nn.Conv2d(in_channels, width, patch, patch)
        self.register_buffer("positions", sine_positions(size // patch, width), persistent=False)
        self.positions: Tensor
        self.time = nn.Sequential(nn.Linear(_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.vector = nn.Linear(vector_dim, width) if vector_dim else None
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio, token_dim) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.out = nn.Linear(width, patch * patch * self.out_channels)
        self._initialise()

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Tensor,
        context: Context = Context(),  # noqa: B008  # immutable
        residuals: Residuals | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """The prediction for latents `x` at times `t`, (batch,) or a scalar, from 0 (clean) to 1000 (noise).

        Raises ValueError for latents of another size, for missing conditions, and for residuals: a transformer has no
        skip connections that a control branch could add to.
        """
        self.check_inputs(x, context, residuals)
        t = torch.as_tensor(t, device=x.device).expand(len(x))
        told = self.time(time_frequencies(t).to(x.dtype))
        if self.vector is not None:
            told = told + self.vector(context.vector)
        tokens = self.patches(x).flatten(2).mT + self.positions.to(x.dtype)
        for block in self.blocks:
            tokens = block(tokens, told, context.tokens)
        shift, scale = self.modulation(told).chunk(2, dim=1)
        return self._unpatched(self.out(modulated(self.norm(tokens), shift, scale)))

    def check_inputs(self, x: Tensor, context: Context, residuals: Residuals | None = None) -> None:
        """ValueError where latents or conditions do not fit."""
        if residuals is not None:
            raise ValueError("control: got a DiT, expected a UNet, which has the skip connections to add to")
        if tuple(x.shape[1:]) != (self.in_channels, self.size, self.size):
            expected = f"(N, {self.in_channels}, {self.size}, {self.size})"
            raise ValueError(f"latents: got {tuple(x.shape)}, expected {expected}, which the denoiser was built for")
        for name, got, width in (
            ("vector", context.vector, self.vector_dim),
            ("tokens", context.tokens, self.token_dim),
        ):
            if (0 if got is None else got.shape[-1]) != width:
                shape = "none" if got is None else tuple(got.shape)
                raise ValueError(f"context: got {name} {shape}, expected a last axis of {width or 'nothing'}")

    def _unpatched(self, tokens: Float[Tensor, "batch token number"]) -> Tensor:
        """Squares of (row, column, channel) back at their places, (N, C, size, size)."""
        side = self.size // self.patch
        squares = tokens.reshape(-1, side, side, self.patch, self.patch, self.out_channels)
        return squares.permute(0, 5, 1, 3, 2, 4).reshape(-1, self.out_channels, self.size, self.size)

    def _initialise(self) -> None:
        """As the paper: Xavier, embeddings with deviation 0.02, zero where a block or the output is added."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.patches.weight.view(len(self.patches.weight), -1))
        nn.init.zeros_(self.patches.bias)  # type: ignore[arg-type]
        for layer in (self.time[0], self.time[2], self.vector):
            if layer is not None:
                nn.init.normal_(layer.weight, std=0.02)  # type: ignore[arg-type]
        zero = [self.modulation[1], self.out]
        for block in self.blocks:
            zero += [block.modulation[1]] + ([] if block.cross is None else [block.cross.out])  # type: ignore[index, union-attr]
        for layer in zero:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class Block(nn.Module):
    """Self-attention, attention to tokens if there are any, a perceptron; what is told shifts, scales and gates."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, token_dim: int) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attention = Attention(width, heads)
        self.cross = CrossAttention(width, heads, token_dim) if token_dim else None
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(
        self,
        x: Float[Tensor, "batch patch width"],
        told: Float[Tensor, "batch width"],
        tokens: Float[Tensor, "batch token token_width"] | None,
    ) -> Tensor:
        """Patches after this block."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(told).chunk(6, dim=1)
        x = x + gate1[:, None] * self.attention(modulated(self.norm1(x), shift1, scale1))
        if self.cross is not None:
            x = x + self.cross(x, tokens)
        return x + gate2[:, None] * self.mlp(modulated(self.norm2(x), shift2, scale2))


class Attention(nn.Module):
    """Attention of patches to each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch patch width"]) -> Tensor:
        """What each patch reads from all patches."""
        q, k, v = self.qkv(x).chunk(3, dim=2)
        return self.out(_attended(q, k, v, self.heads))


class CrossAttention(nn.Module):
    """Attention of patches to tokens of another width."""

    def __init__(self, width: int, heads: int, token_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.out = nn.Linear(width, width), nn.Linear(token_dim, 2 * width), nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch patch width"], tokens: Float[Tensor, "batch token token_width"]
    ) -> Tensor:
        """What each patch reads from the tokens."""
        k, v = self.kv(tokens).chunk(2, dim=2)
        return self.out(_attended(self.q(x), k, v, self.heads))


def _attended(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    q, k, v = (y.unflatten(2, (heads, -1)).transpose(1, 2) for y in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def modulated(
    x: Float[Tensor, "batch token width"], shift: Float[Tensor, "batch width"], scale: Float[Tensor, "batch width"]
) -> Float[Tensor, "batch token width"]:
    """x (1 + scale) + shift: a scale of zero leaves the normalised input as it is."""
    return x * (1 + scale[:, None]) + shift[:, None]


def time_frequencies(t: Float[Tensor, " batch"]) -> Float[Tensor, "batch 256"]:
    """Cosines and sines of times at frequencies from 1 down to 1 / 10000."""
    half = _FREQUENCIES // 2
    places = torch.arange(half, device=t.device, dtype=torch.float32)
    angles = t.float()[:, None] * torch.exp(-math.log(_MAX_PERIOD) / half * places)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def sine_positions(side: int, width: int) -> Float[Tensor, "place width"]:
    """Sines and cosines of the column, then those of the row, of side x side places in rows."""
    quarter = width // 4
    frequencies = _MAX_PERIOD ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    one = torch.cat([angles.sin(), angles.cos()], dim=1).float()
    columns, rows = one[None].expand(side, side, -1), one[:, None].expand(side, side, -1)
    return torch.cat([columns, rows], dim=2).flatten(0, 1)
