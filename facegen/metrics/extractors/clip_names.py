"""OpenAI's names of the tensors of a CLIP image tower, and timm's."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_PREFIX = "visual."
_WHOLE = {
    "class_embedding": "cls_token",
    "positional_embedding": "pos_embed",
    "conv1.weight": "patch_embed.proj.weight",
    "proj": "head.weight",
}
_PARTS = (
    (r"^transformer\.resblocks\.", "blocks."),
    (r"^ln_pre\.", "norm_pre."),
    (r"^ln_post\.", "norm."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.attn\.in_proj_", ".attn.qkv."),
    (r"\.attn\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)


def timm_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image tower of a whole CLIP (`visual.*`), renamed for timm, in float32; timm's own names pass through."""
    tower = {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
    renamed = {_renamed(key): _reshaped(key, value) for key, value in (tower or state).items()}
    return {key: value.to(torch.float32) for key, value in renamed.items()}


def _renamed(key: str) -> str:
    for pattern, replacement in _PARTS:
        key = re.sub(pattern, replacement, key)
    return _WHOLE.get(key, key)


def _reshaped(key: str, value: Tensor) -> Tensor:
    if key == "proj":
        return value.T  # it multiplies from the right
    if key == "class_embedding":
        return value[None, None]
    return value[None] if key == "positional_embedding" else value
