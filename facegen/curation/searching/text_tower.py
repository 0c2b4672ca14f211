"""Texts as directions among the embeddings of pictures: the text tower of a CLIP in a folder of this machine."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32

from facegen.curation.searching.open_clip import OPEN_CLIP_CONFIG, open_clip_text

_INSTALL = "text: texts need the package transformers; install it with pip install 'facegen[text]'"


class _Tower(NamedTuple):
    """Words to numbers, the network, and how many numbers a text can have."""

    tokenizer: Any
    network: Any
    length: int


@torch.no_grad()
def embed_text(text: str, folder: Path) -> Float32[np.ndarray, " dim"]:
    """The unit vector of a text, computed by the CLIP in a folder; what is longer than the model reads is cut.

    folder: a CLIP as transformers writes it (config.json, safetensors, tokenizer), or as open_clip and timm publish
    theirs (open_clip_config.json, weights, the tokenizer's files). Nothing is downloaded, no code of the folder is run.
    Raises ValueError where it holds no such model.
    """
    tower = _loaded(Path(folder).expanduser().absolute())
    numbers = tower.tokenizer([text], truncation=True, max_length=tower.length, return_tensors="pt").input_ids
    vector = tower.network(numbers).text_embeds[0].double()
    return (vector / vector.norm()).float().numpy()


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> _Tower:
    try:
        import transformers
    except ImportError as error:
        raise ValueError(_INSTALL) from error
    kept = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # the tower of pictures is left aside, which it would warn of
    try:
        if (folder / OPEN_CLIP_CONFIG).is_file():
            network: Any = open_clip_text(folder)
        else:
            _require_clip(folder)
            network = transformers.CLIPTextModelWithProjection.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, RuntimeError, ImportError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"clip: {folder} cannot be read as a CLIP with its tokenizer: {reason:.200}") from error
    finally:
        transformers.logging.set_verbosity(kept)
    return _Tower(tokenizer, network.eval().requires_grad_(False), network.config.max_position_embeddings)


def _require_clip(folder: Path) -> None:
    path = folder / "config.json"
    if not folder.is_dir() or not path.is_file():
        expected = f"a folder with config.json (transformers) or {OPEN_CLIP_CONFIG} (open_clip, timm)"
        raise ValueError(f"clip: got {folder}, expected {expected}; nothing is downloaded")
    content = json.loads(path.read_text(encoding="utf-8"))
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind not in ("clip", "clip_text_model"):
        raise ValueError(f"clip: {path} is of a model of type {kind!r}, expected clip")
