"""The networks of control branches: diffusers' `ControlNetModel`, and the same for its unconditional UNet."""

from typing import Any

import torch
from torch import Tensor, nn


class UnconditionalEncoder(nn.Module):
    """The encoder of diffusers' `UNet2DModel` with what its `ControlNetModel` has beside one."""

    def __init__(self, unet: Any, hint_channels: int, hint_widths: tuple[int, ...]) -> None:
        from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding

        super().__init__()
        self.time_proj, self.time_embedding, self.conv_in = unet.time_proj, unet.time_embedding, unet.conv_in
        self.controlnet_cond_embedding = ControlNetConditioningEmbedding(
            unet.conv_in.out_channels, hint_channels, hint_widths
        )
        self.down_blocks, self.mid_block = unet.down_blocks, unet.mid_block
        widths = [unet.conv_in.out_channels]
        for block in unet.down_blocks:
            width = block.resnets[-1].out_channels
            widths += [width] * (len(block.resnets) + len(block.downsamplers or ()))
        self.controlnet_down_blocks = nn.ModuleList([_zero_convolution(width) for width in widths])
        self.controlnet_mid_block = _zero_convolution(widths[-1])


def conditional_encoder(unet: Any, hint_channels: int, hint_widths: tuple[int, ...]) -> Any:
    """diffusers' `ControlNetModel` with fresh weights for a `UNet2DConditionModel`, which only says its sizes."""
    from diffusers.models.controlnets.controlnet import ControlNetModel

    return ControlNetModel.from_unet(
        unet,
        conditioning_embedding_out_channels=hint_widths,
        load_weights_from_unet=False,
        conditioning_channels=hint_channels,
    )


def _zero_convolution(width: int) -> nn.Conv2d:
    convolution = nn.Conv2d(width, width, kernel_size=1)
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


def encode_with_tokens(
    model: Any, x: Tensor, t: Tensor, vector: Tensor | None, tokens: Tensor | None, features: Tensor
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Skip connections and the middle of diffusers' `ControlNetModel` for known features of a hint."""
    t = torch.as_tensor(t, device=x.device).expand(len(x))
    embedding = model.time_embedding(model.time_proj(t).to(x.dtype))
    if vector is not None:
        embedding = embedding + vector
    h = model.conv_in(x) + features
    skips = (h,)
    for block in model.down_blocks:
        attends = getattr(block, "has_cross_attention", False)
        h, more = block(h, embedding, **({"encoder_hidden_states": tokens} if attends else {}))
        skips += more
    return skips, model.mid_block(h, embedding, encoder_hidden_states=tokens)
