"""What the tensors of a CompVis network say of its architecture; the number of heads is all that they do not."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

State = Mapping[str, Tensor]

_MOST = 64  # of blocks in a network, and of transformer blocks in a row


def unet_arguments(state: State) -> dict[str, Any]:
    """Arguments of our `UNet` for the encoder of a UNetModel or ControlNet, but for `size` and the heads.

    `out_channels` is left out where there is no decoder. Raises ValueError for what our UNet has not.
    """
    if strange := [name for name in state if name.startswith(("label_emb.", "id_predictor."))]:
        raise ValueError(
            f"it has {strange[0]}, a condition beside the time that facegen has not; expected a plain UNet"
        )
    first = _needed(state, "input_blocks.0.0.weight")
    widths, attention, blocks = [], [], []
    for kind, number in _input_blocks(state):
        if kind == "down" or not blocks:
            widths, attention, blocks = [*widths, 0], [*attention, False], [*blocks, 0]
        if kind == "residual":
            widths[-1] = len(_needed(state, f"input_blocks.{number}.0.in_layers.2.weight"))
            attention[-1] = f"input_blocks.{number}.1.norm.weight" in state
            blocks[-1] += 1
    if len(set(blocks)) != 1 or 0 in blocks:
        raise ValueError(f"its levels have {blocks} residual blocks, expected the same number in each")
    found: dict[str, Any] = {"in_channels": first.shape[1], "channels": widths, "blocks": blocks[0]}
    if (last := state.get("out.2.weight")) is not None:
        found["out_channels"] = len(last)
    return found | {"attention": attention} | _transformer(state)


def _input_blocks(state: State) -> Iterator[tuple[str, int]]:
    for number in range(1, _MOST):
        if f"input_blocks.{number}.0.op.weight" in state:
            yield "down", number
        elif f"input_blocks.{number}.0.in_layers.0.weight" in state:
            yield "residual", number
        else:
            return


def _transformer(state: State) -> dict[str, Any]:
    """Cross-attention as the middle has it, which has some wherever any block has."""
    depth = sum(f"middle_block.1.transformer_blocks.{number}.norm1.weight" in state for number in range(_MOST))
    if depth == 0:
        return {"token_dim": 0}
    keys = _needed(state, "middle_block.1.transformer_blocks.0.attn2.to_k.weight")
    linear = _needed(state, "middle_block.1.proj_in.weight").ndim == 2
    return {"token_dim": keys.shape[1], "depth": depth, "linear_projection": linear}


def hint_arguments(state: State) -> dict[str, Any]:
    """Arguments of our `ControlBranch` that say how hints are encoded."""
    layers = [state[f"input_hint_block.{2 * place}.weight"] for place in range(hint_layers(state))]
    # Every second convolution widens and halves, the first and the last do not.
    return {"hint_channels": layers[0].shape[1], "hint_widths": [len(layer) for layer in layers[:-1:2]]}


def hint_layers(state: State) -> int:
    """How many convolutions encode the hints. Raises ValueError where they are not as published."""
    count = 0
    while f"input_hint_block.{2 * count}.weight" in state:
        count += 1
    if count < 2 or count % 2:
        raise ValueError(f"it encodes hints with {count} convolutions, expected an even number such as 8")
    return count


def first_stage_arguments(state: State) -> dict[str, Any]:
    """Arguments of our `FirstStage`, but for `img_resolution` and `scaling_factor`."""
    levels = _count(state, "encoder.down.{}.block.0.conv1.weight")
    blocks = _count(state, "encoder.down.0.block.{}.conv1.weight")
    given = len(_needed(state, "encoder.conv_out.weight"))
    quantised = _needed(state, "quant_conv.weight")
    found: dict[str, Any] = {
        "channels": [len(_needed(state, f"encoder.down.{level}.block.0.conv1.weight")) for level in range(levels)],
        "blocks": blocks,
        "attention": [f"encoder.down.{level}.attn.0.q.weight" in state for level in range(levels)],
        "mid_attention": "encoder.mid.attn_1.q.weight" in state,
    }
    if (codes := state.get("quantize.embedding.weight")) is None:
        if given != len(quantised):
            raise ValueError(f"it has embed_dim {len(quantised) // 2} and z_channels {given // 2}, expected the same")
        return found | {"kind": "kl", "latent_channels": given // 2}
    return found | {
        "kind": "vq",
        "latent_channels": codes.shape[1],
        "num_codes": len(codes),
        "encoder_channels": None if given == codes.shape[1] else given,
    }


def _count(state: State, name: str) -> int:
    numbers = range(_MOST)
    return next((number for number in numbers if name.format(number) not in state), _MOST)


def _needed(state: State, name: str) -> Tensor:
    """A tensor that has axes to look at."""
    if name not in state:
        raise ValueError(f"it has no tensor {name}; the file is not whole, or of another kind")
    if state[name].ndim < 2:
        raise ValueError(f"{name} has shape {tuple(state[name].shape)}, expected a matrix or a convolution")
    return state[name]
