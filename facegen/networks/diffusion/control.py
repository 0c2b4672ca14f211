"""ControlNet (Zhang et al. 2023): a trained copy of a UNet's encoder that sees a picture and adds to the skips."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.diffusion.context import Context, Residuals
from facegen.networks.diffusion.control_encoders import UnconditionalEncoder, conditional_encoder, encode_with_tokens
from facegen.networks.diffusion.unet import UNet, encode

Scales = float | Sequence[float]


class ControlBranch(nn.Module):
    """What a hint, a picture in [0, 1], adds to the skip connections and the middle of a frozen UNet.

    `model` is diffusers' `ControlNetModel` where the UNet attends to tokens, and else its counterpart for
    `UNet2DModel`, which diffusers lacks, with the same names of parameters. Every output ends in a 1x1 convolution that
    starts at zero, and so does the encoder of hints: a new branch changes nothing, whatever it is shown.

    unet: arguments of the `UNet`. hint_channels: of the pictures. hint_widths: of the encoder of hints, whose levels
    halve the side but for the first: (16, 32, 96, 256), as published, for latents of an eighth of the picture's side,
    (16, 32, 96) for a quarter. only_mid: leave the skip connections alone, as the published `only_mid_control`.
    """

    def __init__(
        self,
        unet: Mapping[str, Any],
        hint_channels: int = 3,
        hint_widths: Sequence[int] = (16, 32, 96),
        only_mid: bool = False,
    ) -> None:
        super().__init__()
        if hint_channels < 1 or not hint_widths or min(hint_widths) < 1:
            raise ValueError(f"hint: got {hint_channels} channels and widths {list(hint_widths)}, expected at least 1")
        arguments = {name: value for name, value in unet.items() if name != "_target_"}
        self.init_kwargs = {"unet": arguments, "hint_channels": hint_channels, "hint_widths": list(hint_widths)}
        self.init_kwargs["only_mid"] = only_mid
        self.hint_channels, self.only_mid = hint_channels, only_mid
        self.factor = 2 ** (len(hint_widths) - 1)
        with torch.device("meta" if arguments.get("token_dim") else "cpu"):
            template = UNet(**arguments)
        self.token_dim = template.token_dim
        vector_dim = template.init_kwargs["vector_dim"]
        width = template.init_kwargs["channels"][0]
        self.vector_projection = nn.Linear(vector_dim, 4 * width) if vector_dim else None
        build = conditional_encoder if self.token_dim else UnconditionalEncoder
        self.model: Any = build(template.model, hint_channels, tuple(hint_widths))

    @property
    def num_outputs(self) -> int:
        """How many tensors the branch adds: one for each skip connection, and the middle's."""
        return len(self.model.controlnet_down_blocks) + 1

    def copy_from(self, unet: UNet) -> None:
        """Start from the encoder of a trained UNet. Raises ValueError for one of other widths."""
        pairs = [(getattr(self.model, name), getattr(unet.model, name)) for name in _COPIED]
        if self.vector_projection is not None:
            pairs.append((self.vector_projection, unet.vector_projection))
        try:
            for own, theirs in pairs:
                own.load_state_dict(theirs.state_dict())
        except (RuntimeError, AttributeError) as error:
            got, expected = unet.init_kwargs, self.init_kwargs["unet"]
            raise ValueError(f"control: got a UNet of {got}, expected one of {expected}") from error

    def embed(self, hint: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch width rows columns"]:
        """Features of a hint; they are the same at every step of sampling. Raises ValueError for other pictures."""
        sides = hint.shape[2:]
        if hint.ndim != 4 or hint.shape[1] != self.hint_channels or any(side % self.factor for side in sides):
            expected = f"(N, {self.hint_channels}, H, W) with sides divisible by {self.factor}"
            raise ValueError(f"hint: got {tuple(hint.shape)}, expected {expected}")
        return self.model.controlnet_cond_embedding(hint)

    def residuals(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Tensor,
        context: Context,
        features: Float[Tensor, "batch width height width"],
        scales: Scales = 1.0,
    ) -> Residuals:
        """What a hint of which `features` are known adds for latents `x` at times `t`; see `forward`."""
        if features.shape[2:] != x.shape[2:] or len(features) != len(x):
            got = f"{len(features)} of {_sides(features, self.factor)} pixels"
            raise ValueError(f"hint: got {got}, expected {len(x)} of {_sides(x, self.factor)}, as the images")
        vector = None if self.vector_projection is None else self.vector_projection(context.vector)
        if self.token_dim:
            skips, mid = encode_with_tokens(self.model, x, t, vector, context.tokens, features)
        else:
            embedding, skips, mid = encode(self.model, x, t, vector, features)
            mid = self.model.mid_block(mid, embedding)
        return self._scaled(skips, mid, scales)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Tensor,
        context: Context,
        hint: Float[Tensor, "batch hint_channel hint_height hint_width"],
        scales: Scales = 1.0,
    ) -> Residuals:
        """What the hint adds for latents `x` at times `t`, (batch,) or a scalar, from 0 (clean) to 1000 (noise).

        scales: of all outputs, or of each, the middle's last. Raises ValueError for hints of another size or number of
        channels, and for another number of scales.
        """
        return self.residuals(x, t, context, self.embed(hint), scales)

    def _scaled(self, skips: Sequence[Tensor], mid: Tensor, scales: Scales) -> Residuals:
        """Through the zero convolutions."""
        each = [float(scales)] * self.num_outputs if isinstance(scales, (int, float)) else list(scales)
        if len(each) != self.num_outputs:
            raise ValueError(f"control scales: got {len(each)}, expected one number or {self.num_outputs}")
        convolutions = [*self.model.controlnet_down_blocks, self.model.controlnet_mid_block]
        if self.only_mid:
            down = tuple(torch.zeros_like(skip) for skip in skips)
        else:
            triples = zip(skips, convolutions, each, strict=False)
            down = tuple(scale * convolution(skip) for skip, convolution, scale in triples)
        return Residuals(down, each[-1] * convolutions[-1](mid))


def combined(residuals: Sequence[Residuals]) -> Residuals | None:
    """The sum of what several branches add; None of none."""
    if len(residuals) < 2:
        return residuals[0] if residuals else None
    down = tuple(torch.stack(parts).sum(dim=0) for parts in zip(*(each.down for each in residuals), strict=True))
    return Residuals(down, torch.stack([each.mid for each in residuals]).sum(dim=0))


def hint_features(controls: Mapping[str, Any], hints: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Features of hints (N, channels, H, W) in [0, 1], by the names of branches; branches without a hint are left out.

    Raises ValueError for hints that no branch takes, and for pictures in another range.
    """
    for name, hint in hints.items():
        if name not in controls:
            known = ", ".join(controls) or "none: this model has no controls"
            raise ValueError(f"hints: got {name}, expected some of: {known}")
        low, high = (float(value) for value in hint.aminmax()) if hint.numel() else (0.0, 1.0)
        if not 0 <= low <= high <= 1:
            raise ValueError(f"hints: got {name} from {low:.4g} to {high:.4g}, expected pictures from 0 to 1")
    return {name: controls[name].embed(hint) for name, hint in hints.items()}


def control_residuals(
    controls: Mapping[str, Any],
    x: Float[Tensor, "batch channel height width"],
    t: Tensor,
    context: Context,
    features: Mapping[str, Tensor],
    scales: Mapping[str, Scales] | Scales = 1.0,
) -> Residuals | None:
    """The sum of what branches add that have `features` of a hint; None where none has.

    scales: of all branches, or by name, 1 for those that are not named.
    """
    found = []
    for name, own in features.items():
        scale = scales.get(name, 1.0) if isinstance(scales, Mapping) else scales
        found.append(controls[name].residuals(x, t, context, own, scale))
    return combined(found)


_COPIED = ("conv_in", "time_embedding", "down_blocks", "mid_block")


def _sides(x: Tensor, factor: int) -> str:
    height, width = x.shape[2:]
    return f"{width * factor}x{height * factor}"
