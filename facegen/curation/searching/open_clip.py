"""The text tower of a CLIP in open_clip's files, as timm publishes its own too, in the network of transformers.

https://github.com/mlfoundations/open_clip: `open_clip_config.json` says the sizes; the tensors have the names of
OpenAI's CLIP.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from facegen.metrics.extractors.weights import fill, read_weights

OPEN_CLIP_CONFIG = "open_clip_config.json"
_WEIGHTS = ("open_clip_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin")
_WHOLE = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
    "text_projection.weight": "text_projection.weight",
}
_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")
_PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_FIRST_END = 2  # transformers' sign for: the text's state is that at its largest number, its end, as in open_clip


def open_clip_text(folder: Path) -> nn.Module:
    """transformers' CLIPTextModelWithProjection with the tensors of a folder of open_clip's.

    Raises ValueError for another text tower (one of the Hugging Face hub), for files that are missing or do not fit.
    """
    import transformers

    config = json.loads((folder / OPEN_CLIP_CONFIG).read_text(encoding="utf-8"))["model_cfg"]
    text = config["text_cfg"]
    if "hf_model_name" in text:
        raise ValueError(f"clip: {folder} has the text tower {text['hf_model_name']!r}; expected that of a CLIP")
    path = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise ValueError(f"clip: {folder} has no weights; expected one of {', '.join(_WEIGHTS)}")
    network = transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**_sizes(config, text)))
    fill(network, transformers_names(read_weights(path)), path, "clip")
    return network


def transformers_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The text tower of a whole CLIP under transformers' names; one matrix of queries, keys, values becomes three."""
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        key = key.removeprefix("text.")  # of open_clip's classes with a text tower of their own
        if key in _WHOLE:  # the bare projection multiplies from the right
            found[_WHOLE[key]] = value.T.contiguous() if key == "text_projection" else value
        elif match := _BLOCK.fullmatch(key):
            found |= _of_block(f"text_model.encoder.layers.{match[1]}", match[2], value)
    return found


def _of_block(prefix: str, name: str, value: Tensor) -> dict[str, Tensor]:
    if name.startswith("attn.in_proj_"):
        kind = name.removeprefix("attn.in_proj_")
        thirds = zip("qkv", value.chunk(3), strict=True)
        return {f"{prefix}.self_attn.{letter}_proj.{kind}": third.contiguous() for letter, third in thirds}
    part, _, kind = name.rpartition(".")
    return {f"{prefix}.{_PARTS.get(part, part)}.{kind}": value}


def _sizes(config: Mapping[str, Any], text: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": text["vocab_size"],
        "max_position_embeddings": text["context_length"],
        "hidden_size": text["width"],
        "intermediate_size": 4 * text["width"],
        "num_hidden_layers": text["layers"],
        "num_attention_heads": text["heads"],
        "projection_dim": config["embed_dim"],
        "hidden_act": "quick_gelu" if config.get("quick_gelu") else "gelu",
        "bos_token_id": 0,
        "pad_token_id": None,
        "eos_token_id": _FIRST_END,
    }
