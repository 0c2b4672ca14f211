"""A text encoder for pipelines whose model is not told by prompts: every prompt means that nothing is known.

`StableDiffusionPipeline` cannot be loaded without one, and asks it for the other side of guidance. This one is a T5
without layers. Its tokenizer turns all texts into the places 0 to L - 1, and the embeddings of the places are the
tokens that the model was trained to be told of nothing. They come out bit by bit: the norm at the end divides by the
root of their mean square plus `_EPSILON`, which is 2^20 for tokens of any usual size, and multiplies by 2^20.
"""

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

_EPSILON = 2.0**40


def write_nothing(tokens: Float[Tensor, "place width"], folder: Path) -> dict[str, list[str]]:
    """Write the folders `text_encoder` and `tokenizer`; their entries in the index of the pipeline."""
    places, width = tokens.shape
    (folder / "text_encoder").mkdir()
    (folder / "tokenizer").mkdir()
    weights = {
        "shared.weight": tokens.detach().cpu().float().contiguous(),
        "encoder.final_layer_norm.weight": torch.full((width,), _EPSILON**0.5),
    }
    save_file(weights, folder / "text_encoder" / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "text_encoder" / "config.json", _encoder_config(places, width))
    _write(folder / "tokenizer" / "tokenizer.json", _tokenizer(places))
    _write(
        folder / "tokenizer" / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": places, "pad_token": _word(0)},
    )
    return {
        "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
    }


def _encoder_config(places: int, width: int) -> dict[str, Any]:
    return {
        "architectures": ["T5EncoderModel"],
        "model_type": "t5",
        "d_model": width,
        "d_kv": width,
        "d_ff": width,
        "num_heads": 1,
        "num_layers": 0,
        "num_decoder_layers": 0,
        "vocab_size": places,
        "layer_norm_epsilon": _EPSILON,
        "dropout_rate": 0.0,
        "is_encoder_decoder": False,
        "use_cache": False,
        "torch_dtype": "float32",
    }


def _tokenizer(places: int) -> dict[str, Any]:
    """A tokenizer that drops the text and puts the names of all places where it was."""
    words = [_word(place) for place in range(places)]
    pieces: list[dict[str, Any]] = [{"SpecialToken": {"id": word, "type_id": 0}} for word in words]
    special = {word: {"id": word, "ids": [place], "tokens": [word]} for place, word in enumerate(words)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Replace", "pattern": {"Regex": "[\\s\\S]+"}, "content": ""},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*pieces, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": special,
        },
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: place for place, word in enumerate(words)},
            "unk_token": words[0],
        },
    }


def _word(place: int) -> str:
    return f"<{place}>"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
