"""The UNet of latent diffusion (Rombach et al. 2022), thin over diffusers' two classes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.diffusion.context import Context, Residuals


class Encoded(NamedTuple):
    """The encoder half of a UNet: the embedding of time and vector, the skip connections, the lowest features."""

    embedding: Float[Tensor, "batch width"]
    skips: tuple[Tensor, ...]
    features: Tensor


class UNet(nn.Module):
    """A denoiser of latents: diffusers' `UNet2DModel`, or `UNet2DConditionModel` where it attends to tokens.

    The two hold different published weights: the unconditional one has plain attention, also in the middle; the other
    has transformer blocks with cross-attention. Both take a vector beside the time here, and residuals of a control
    branch, which diffusers' unconditional class does not. `model` is theirs, with their names of parameters.

    in_channels, out_channels: of latents. size: side of the latents that it is trained for (others work). channels: of
    each level, halved in size from one to the next. blocks: residual blocks of a level (one more on the way up).
    attention: which levels have it. head_channels: width of a head; num_heads: of each level, as the first Stable
    Diffusion counts; one of them. norm_groups: of group normalisation; with as many as channels the embedding of the
    time is normalised away. depth: transformer blocks in a row. vector_dim, token_dim: width of what `Context` has, 0
    for none. Layers that end a residual start at zero, as published.
    """

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int | None = None,
        size: int = 16,
        channels: Sequence[int] = (64, 128),
        blocks: int = 2,
        attention: Sequence[bool] = (False, True),
        head_channels: int | None = 32,
        num_heads: int | None = None,
        norm_groups: int = 32,
        dropout: float = 0.0,
        vector_dim: int = 0,
        token_dim: int = 0,
        depth: int = 1,
        linear_projection: bool = False,
    ) -> None:
        super().__init__()
        self.init_kwargs = {
            name: _plain(value) for name, value in locals().items() if name not in ("self", "__class__")
        }
        _check(channels, attention, head_channels, num_heads, norm_groups)
        shared: dict[str, Any] = {
            "sample_size": size,
            "in_channels": in_channels,
            "out_channels": in_channels if out_channels is None else out_channels,
            "block_out_channels": tuple(channels),
            "layers_per_block": blocks,
            "norm_num_groups": norm_groups,
            "dropout": dropout,
            "class_embed_type": "identity" if vector_dim else None,
        }
        if token_dim:
            self.model = _conditional(shared, attention, head_channels, num_heads, token_dim, depth, linear_projection)
        else:
            self.model = _unconditional(shared, attention, head_channels)
        self.vector_projection = nn.Linear(vector_dim, 4 * channels[0]) if vector_dim else None
        self.token_dim = token_dim
        _start_residuals_at_zero(self.model)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Tensor,
        context: Context = Context(),  # noqa: B008  # immutable
        residuals: Residuals | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """The prediction for latents `x` at times `t`, (batch,) or a scalar, from 0 (clean) to 1000 (noise).

        Height and width are multiples of 2 ** (levels - 1). Raises ValueError for others and for missing conditions.
        """
        self.check_inputs(x, context)
        vector = None if self.vector_projection is None else self.vector_projection(context.vector)
        if self.token_dim:
            down = None if residuals is None else residuals.down
            mid = None if residuals is None else residuals.mid
            return self.model(x, t, context.tokens, vector, None, None, None, None, down, mid, return_dict=False)[0]
        encoded = encode(self.model, x, t, vector)
        return _decode(self.model, encoded, residuals)

    def check_inputs(self, x: Tensor, context: Context) -> None:
        """ValueError where latents or conditions do not fit."""
        channels, factor = self.init_kwargs["in_channels"], 2 ** (len(self.init_kwargs["channels"]) - 1)
        if x.ndim != 4 or x.shape[1] != channels or x.shape[2] % factor or x.shape[3] % factor:
            expected = f"(N, {channels}, H, W) with sides divisible by {factor}"
            raise ValueError(f"latents: got {tuple(x.shape)}, expected {expected}")
        for name, got, width in (
            ("vector", context.vector, self.init_kwargs["vector_dim"]),
            ("tokens", context.tokens, self.token_dim),
        ):
            if (0 if got is None else got.shape[-1]) != width:
                shape = "none" if got is None else tuple(got.shape)
                raise ValueError(f"context: got {name} {shape}, expected a last axis of {width or 'nothing'}")


def encode(model: Any, x: Tensor, t: Tensor, vector: Tensor | None = None, hint: Tensor | None = None) -> Encoded:
    """The encoder of an unconditional model of diffusers, up to the middle; `hint` is added to the first features."""
    t = torch.as_tensor(t, device=x.device).expand(len(x))
    embedding = model.time_embedding(model.time_proj(t).to(x.dtype))
    if vector is not None:
        embedding = embedding + vector
    features = model.conv_in(x)
    if hint is not None:
        features = features + hint
    skips = (features,)
    for block in model.down_blocks:
        features, more = block(hidden_states=features, temb=embedding)
        skips += more
    return Encoded(embedding, skips, features)


def _decode(model: Any, encoded: Encoded, residuals: Residuals | None) -> Tensor:
    embedding, skips, features = encoded
    features = model.mid_block(features, embedding)
    if residuals is not None:
        skips = tuple(skip + more for skip, more in zip(skips, residuals.down, strict=True))
        features = features + residuals.mid
    for block in model.up_blocks:
        count = len(block.resnets)
        features = block(features, skips[-count:], embedding)
        skips = skips[:-count]
    return model.conv_out(model.conv_act(model.conv_norm_out(features)))


def _unconditional(shared: dict[str, Any], attention: Sequence[bool], head_channels: int | None) -> nn.Module:
    from diffusers.models.unets.unet_2d import UNet2DModel

    if head_channels is None:
        raise ValueError(
            "num_heads: got a UNet without tokens, whose heads all have the same width; give head_channels"
        )
    return UNet2DModel(
        **shared,
        down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attention),
        up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attention)),
        attention_head_dim=head_channels,
        downsample_padding=1,
    )


def _conditional(
    shared: dict[str, Any],
    attention: Sequence[bool],
    head_channels: int | None,
    num_heads: int | None,
    token_dim: int,
    depth: int,
    linear_projection: bool,
) -> nn.Module:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    heads: Any = tuple(num_heads or width // (head_channels or width) for width in shared["block_out_channels"])
    return UNet2DConditionModel(
        **shared,
        down_block_types=tuple("CrossAttnDownBlock2D" if here else "DownBlock2D" for here in attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attention)),
        attention_head_dim=heads,  # diffusers' name for the number of heads
        cross_attention_dim=token_dim,
        transformer_layers_per_block=depth,
        use_linear_projection=linear_projection,
    )


def _check(
    channels: Sequence[int],
    attention: Sequence[bool],
    head_channels: int | None,
    num_heads: int | None,
    norm_groups: int,
) -> None:
    if not channels or len(channels) != len(attention):
        raise ValueError(
            f"attention: got {list(attention)}, expected true or false for each of {list(channels)} channels"
        )
    if (head_channels is None) == (num_heads is None):
        raise ValueError(f"heads: got head_channels={head_channels} and num_heads={num_heads}, expected one of them")
    for divisor, name in ((head_channels or num_heads, "heads"), (norm_groups, "norm_groups")):
        if wrong := [width for width in channels if not divisor or width % divisor]:
            raise ValueError(f"{name}: got {divisor}, expected a divisor of {wrong[0]} channels")


def _start_residuals_at_zero(model: Any) -> None:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.transformers.transformer_2d import Transformer2DModel

    last: list[Any] = [model.conv_out]
    for module in model.modules():
        if isinstance(module, ResnetBlock2D):
            last.append(module.conv2)
        elif isinstance(module, Transformer2DModel):
            last.append(module.proj_out)
        elif isinstance(module, Attention) and module.residual_connection:
            last.append(module.to_out[0])  # type: ignore[index]
    for layer in last:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
