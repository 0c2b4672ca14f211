"""Names of parameters: from CompVis latent diffusion and ControlNet to diffusers, whose modules ours are made of.

Each function lists the modules of one network, the original's name first. Its numbered blocks stand for convolutions,
residual blocks, attention and resampling in the order in which they run.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
_TRANSFORMER_BLOCK = (
    *("norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2"),
    *(f"attn{number}.{layer}" for number in (1, 2) for layer in ("to_q", "to_k", "to_v", "to_out.0")),
)
_SHORTCUT = "nin_shortcut"
_RESIDUAL_OF_FIRST_STAGE = ("norm1", "conv1", "norm2", "conv2", _SHORTCUT)


class Layout(NamedTuple):
    """How many blocks a UNet has and of what kind: all that its names depend on."""

    levels: int
    blocks: int  # residual blocks of a level, one more on the way up
    depth: int  # transformer blocks in a row; 0 where attention is plain


def _residual(old: str, new: str) -> dict[str, str]:
    return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in _RESIDUAL.items()}


def _attention(old: str, new: str, depth: int = 0) -> dict[str, str]:
    if depth == 0:
        return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in _ATTENTION.items()}
    inner = [f"transformer_blocks.{block}.{name}" for block in range(depth) for name in _TRANSFORMER_BLOCK]
    return {f"{old}.{name}": f"{new}.{name}" for name in ("norm", "proj_in", "proj_out", *inner)}


def _encoder(layout: Layout) -> dict[str, str]:
    names = {
        "time_embed.0": "time_embedding.linear_1",
        "time_embed.2": "time_embedding.linear_2",
        "input_blocks.0.0": "conv_in",
    }
    number = 1
    for level in range(layout.levels):
        for block in range(layout.blocks):
            here = f"down_blocks.{level}"
            names |= _residual(f"input_blocks.{number}.0", f"{here}.resnets.{block}")
            names |= _attention(f"input_blocks.{number}.1", f"{here}.attentions.{block}", layout.depth)
            number += 1
        names[f"input_blocks.{number}.0.op"] = f"down_blocks.{level}.downsamplers.0.conv"
        number += 1
    return {
        **names,
        **_residual("middle_block.0", "mid_block.resnets.0"),
        **_attention("middle_block.1", "mid_block.attentions.0", layout.depth),
        **_residual("middle_block.2", "mid_block.resnets.1"),
    }


def unet(layout: Layout) -> dict[str, str]:
    """Modules of CompVis's UNetModel, some of which a UNet of this layout may not have, by their diffusers names."""
    names = _encoder(layout)
    for level in range(layout.levels):
        here = f"up_blocks.{level}"
        for block in range(layout.blocks + 1):
            number = f"output_blocks.{level * (layout.blocks + 1) + block}"
            names |= _residual(f"{number}.0", f"{here}.resnets.{block}")
            names |= _attention(f"{number}.1", f"{here}.attentions.{block}", layout.depth)
            # Upsampling is the last of its block: the second where the block has no attention, else the third.
            names |= {f"{number}.{place}.conv": f"{here}.upsamplers.0.conv" for place in (1, 2)}
    return {**names, "out.0": "conv_norm_out", "out.2": "conv_out"}


def control(layout: Layout, hint_layers: int) -> dict[str, str]:
    """Modules of ControlNet's copy of the encoder, its `hint_layers` convolutions and its zero convolutions."""
    skips = layout.levels * (layout.blocks + 1)  # the first convolution, blocks, and all but one downsampling
    hints = ["conv_in", *(f"blocks.{number}" for number in range(hint_layers - 2)), "conv_out"]
    return {
        **_encoder(layout),
        **{f"input_hint_block.{2 * place}": f"controlnet_cond_embedding.{name}" for place, name in enumerate(hints)},
        **{f"zero_convs.{number}.0": f"controlnet_down_blocks.{number}" for number in range(skips)},
        "middle_block_out.0": "controlnet_mid_block",
    }


def first_stage(levels: int, blocks: int) -> dict[str, str]:
    """Modules of CompVis's AutoencoderKL and VQModel by their diffusers names."""
    names = {name: name for name in ("quant_conv", "post_quant_conv", "quantize.embedding")}
    for half, side, resampling in (("encoder", "down", "downsample"), ("decoder", "up", "upsample")):
        names |= {f"{half}.{name}": f"{half}.{name}" for name in ("conv_in", "conv_out")}
        names[f"{half}.norm_out"] = f"{half}.conv_norm_out"
        names |= _attention(f"{half}.mid.attn_1", f"{half}.mid_block.attentions.0")
        for block in (1, 2):
            names |= _residual_of_first_stage(f"{half}.mid.block_{block}", f"{half}.mid_block.resnets.{block - 1}")
        for level in range(levels):
            # The original counts both halves from the highest resolution, diffusers in the order in which they run.
            old, new = (
                f"{half}.{side}.{level}",
                f"{half}.{side}_blocks.{level if side == 'down' else levels - 1 - level}",
            )
            names[f"{old}.{resampling}.conv"] = f"{new}.{resampling}rs.0.conv"
            for block in range(blocks + (side == "up")):
                names |= _residual_of_first_stage(f"{old}.block.{block}", f"{new}.resnets.{block}")
                names |= _attention(f"{old}.attn.{block}", f"{new}.attentions.{block}")
    return names


def _residual_of_first_stage(old: str, new: str) -> dict[str, str]:
    ours = {name: name for name in _RESIDUAL_OF_FIRST_STAGE} | {_SHORTCUT: "conv_shortcut"}
    return {f"{old}.{theirs}": f"{new}.{name}" for theirs, name in ours.items()}


def averaged(names: Sequence[str]) -> dict[str, str]:
    """What a parameter's average is called (LitEma): the same without its dots, which cannot be put back by rule."""
    return {name.replace(".", ""): name for name in names}


def indices(names: Mapping[str, object], prefix: str) -> Iterator[int]:
    """The numbers that follow a prefix."""
    for name in names:
        if name.startswith(prefix) and (number := name.removeprefix(prefix).partition(".")[0]).isdecimal():
            yield int(number)
