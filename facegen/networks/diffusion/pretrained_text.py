"""CLIP and T5 as text encoders of diffusion models, through the optional package transformers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

KINDS = {"clip": "clip", "clip_text_model": "clip", "t5": "t5"}  # model_type of a config.json -> which of the two
_DEFAULT_LENGTH = {"clip": 77, "t5": 77}
_INSTALL = "text encoder: CLIP and T5 need the package transformers; install it with pip install 'facegen[text]'"


class PretrainedText:
    """A frozen text encoder in a folder as transformers writes it, or of a pipeline (`text_encoder`, `tokenizer`).

    name: the folder; or the name of a model on the Hugging Face hub, which is looked for in the hub's cache only,
    unless `download`. Weights are read from safetensors files. length: places of a text; what is longer is cut.

    It is no part of the network's weights: checkpoints name the folder and stay small, copies share one encoder, and
    the folder has to be there where a model is used. It is loaded when the first text comes.
    """

    def __init__(self, name: str, length: int | None = None, download: bool = False) -> None:
        self.folder = text_folder(name, download)
        config = _config(self.folder)
        self.kind = KINDS.get(config.get("model_type", ""), "")
        if not self.kind:
            got = config.get("model_type")
            raise ValueError(f"encoder: {self.folder} holds a model of type {got!r}, expected CLIP or T5")
        # A whole CLIP has the text model's numbers one level below.
        config = config.get("text_config") if config.get("model_type") == "clip" else config
        self.width = _number(config, "d_model" if self.kind == "t5" else "hidden_size", self.folder)
        most = _number(config, "max_position_embeddings", self.folder) if self.kind == "clip" else None
        self.length = length or min(_DEFAULT_LENGTH[self.kind], most or _DEFAULT_LENGTH[self.kind])
        if self.length < 1 or (most is not None and self.length > most):
            raise ValueError(f"encoder: got {self.length} tokens, expected 1 to {most}, which {self.folder} has")
        self.pads = self.kind == "t5"
        self._loaded: tuple[Any, Any] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same: an averaged copy of a network does not need another frozen encoder."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """States (N, L, width), filled places (N, L) and one state for the whole (N, width), in float32."""
        tokenizer, model = self._loaded or self._load()
        if model.device != device:
            model.to(device)
        found = tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self.length, return_tensors="pt"
        )
        numbers, filled = found.input_ids.to(device), found.attention_mask.to(device).bool()
        with torch.autocast(device.type, enabled=False):
            if self.kind == "clip":  # without a mask, as Stable Diffusion calls it
                output = model(numbers)
                return output.last_hidden_state, torch.ones_like(filled), output.pooler_output
            states = model(numbers, attention_mask=filled.long()).last_hidden_state
        parts = filled[..., None].to(states)
        return states, filled, (states * parts).sum(dim=1) / parts.sum(dim=1).clamp(min=1)

    def _load(self) -> tuple[Any, nn.Module]:
        try:
            import transformers
        except ImportError as error:
            raise ValueError(_INSTALL) from error
        weights, words = _parts(self.folder)
        network = transformers.CLIPTextModel if self.kind == "clip" else transformers.T5EncoderModel
        verbosity = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity_error()  # a whole CLIP has weights of pictures too, which are left aside
        try:
            model = network.from_pretrained(weights, local_files_only=True, use_safetensors=True, dtype=torch.float32)
            tokenizer = transformers.AutoTokenizer.from_pretrained(words, local_files_only=True)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ValueError(f"encoder: {self.folder} cannot be read as a text encoder: {reason}") from error
        finally:
            transformers.logging.set_verbosity(verbosity)
        self._loaded = tokenizer, model.eval().requires_grad_(False)
        return self._loaded


def text_folder(name: str, download: bool = False) -> Path:
    """The folder of an encoder. Raises ValueError where it is not on this machine and may not be fetched."""
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        from huggingface_hub import snapshot_download

        kept = ["*.json", "*.txt", "*.model", "*.safetensors"]
        try:
            return Path(snapshot_download(name, local_files_only=not download, allow_patterns=kept))
        except Exception as error:  # no network, no such model, not in the cache: each has its own class
            if download:
                reason = str(error).strip().splitlines()[0]
                raise ValueError(f"encoder: {name} could not be downloaded: {reason}") from error
    raise ValueError(
        f"encoder: got {name!r}, which is no folder here; expected words, the folder of a CLIP or T5 text model, or "
        "the name of one on the Hugging Face hub with download=true"
    )


def _parts(folder: Path) -> tuple[Path, Path]:
    """Folders of weights and of the tokenizer: those of a pipeline lie beside each other."""
    if (folder / "text_encoder" / "config.json").is_file():
        return folder / "text_encoder", folder / "tokenizer"
    return folder, folder


def _config(folder: Path) -> dict[str, Any]:
    path = _parts(folder)[0] / "config.json"
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"encoder: {path} cannot be read: {error}; expected a folder of a text model") from error
    if not isinstance(config, dict):
        raise ValueError(f"encoder: {path} holds a {type(config).__name__}, expected the configuration of a text model")
    return config


def _number(config: Any, name: str, folder: Path) -> int:
    value = config.get(name) if isinstance(config, dict) else None
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"encoder: the configuration in {folder} has {name}={value!r}, expected a number above 0")
    return value
