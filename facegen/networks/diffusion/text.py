"""Texts as embeddings: a small encoder of words that is trained with the model, or a published CLIP or T5."""

import re
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from facegen.networks.diffusion.caption_words import WORDS
from facegen.networks.diffusion.pretrained_text import PretrainedText

WORDS_ENCODER = "words"
_WORD = re.compile(r"\w+")
_PAD, _START, _FIRST = 0, 1, 2


class States(NamedTuple):
    """N texts: a state for each of L places, which places the text fills, and one state for the whole."""

    tokens: Float[Tensor, "batch token width"]
    filled: Bool[Tensor, "batch token"]
    pooled: Float[Tensor, "batch width"]


class Text(nn.Module):
    """Texts as tokens, or their mean as a vector.

    encoder: `words`, trained with the model, or the folder or name of a CLIP or T5 text model, which stays as it is
    (see `PretrainedText`). tokens: how many places there are; what is longer is cut. download: whether a name may be
    fetched. null: what a text that is left out becomes: `learned`, or `empty`, the embedding of "", as Stable Diffusion
    has it. layers, heads, buckets, words: of `WordEncoder`.
    Places after the end of a text hold a learned embedding; those of CLIP what CLIP makes of them, as its users do.
    """

    def __init__(
        self,
        width: int,
        form: str = "tokens",
        encoder: str = WORDS_ENCODER,
        tokens: int | None = None,
        null: str = "learned",
        download: bool = False,
        layers: int = 2,
        heads: int = 4,
        buckets: int = 1024,
        words: Sequence[str] = WORDS,
    ) -> None:
        super().__init__()
        if form not in ("vector", "tokens"):
            raise ValueError(f"got the form {form!r}, expected vector or tokens")
        if null not in ("learned", "empty"):
            raise ValueError(f"got null {null!r}, expected learned or empty")
        self.arguments: dict[str, Any] = {"form": form, "encoder": str(encoder), "null": null}
        if encoder == WORDS_ENCODER:
            self.encoder = WordEncoder(width, tokens or 48, layers, heads, buckets, words)
            self.arguments |= {"layers": layers, "heads": heads, "buckets": buckets, "words": list(words)}
        else:
            self.encoder = PretrainedText(str(encoder), tokens, download)
        self.arguments["tokens"] = self.encoder.length
        self.form, self.learned_null = form, null == "learned"
        self.shape = (width,) if form == "vector" else (self.encoder.length, width)
        self.project = _projection(self.encoder.width, width, form)
        pads = form == "tokens" and self.encoder.pads
        self.padding = nn.Parameter(0.02 * torch.randn(width)) if pads else None
        self.register_buffer("here", torch.empty(0), persistent=False)  # knows the device where nothing else does

    def forward(self, texts: Sequence[str]) -> Tensor:
        """(N, width) or (N, tokens, width)."""
        states = States(*self.encoder(texts, self.get_buffer("here").device))
        if self.form == "vector":
            return self.project(states.pooled)
        tokens = self.project(states.tokens)
        return tokens if self.padding is None else torch.where(states.filled[..., None], tokens, self.padding)

    def check(self, name: str, texts: Any, count: int) -> None:
        """ValueError unless there are as many texts as samples."""
        if not isinstance(texts, Sequence) or isinstance(texts, str) or not all(isinstance(t, str) for t in texts):
            raise ValueError(f"{name}: got {type(texts).__name__}, expected a list with one text for each sample")
        if len(texts) != count:
            raise ValueError(f"{name}: got {len(texts)} texts, expected {count}, one for each sample")


class WordEncoder(nn.Module):
    """A transformer of a few layers over the words of a text (pre-norm), trained with what it is for.

    A word is a run of letters and digits in any case; punctuation does not count. `words` have a number each; any other
    word shares one of `buckets` numbers by its checksum, so that nothing needs a vocabulary of the training captions.
    """

    pads = True

    def __init__(
        self,
        width: int,
        length: int = 48,
        layers: int = 2,
        heads: int = 4,
        buckets: int = 1024,
        words: Sequence[str] = WORDS,
    ) -> None:
        super().__init__()
        if min(length, layers, heads, buckets) < 1 or width % heads:
            got = f"tokens={length}, layers={layers}, heads={heads}, buckets={buckets}"
            raise ValueError(f"got {got}, expected 1 or more, and heads that divide the width {width}")
        self.width, self.length, self.buckets = width, length, buckets
        self.known = {word: _FIRST + number for number, word in enumerate(words)}
        self.embedding = nn.Embedding(_FIRST + len(words) + buckets, width)
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, texts: Sequence[str], device: torch.device) -> States:
        """States of texts; the first place is the start, so that an empty text has one too."""
        numbers = self.numbers(texts).to(device)
        filled = numbers != _PAD
        x = self.embedding(numbers) + self.position
        for layer in self.layers:
            x = layer(x, filled)
        x = self.norm(x)
        parts = filled[..., None].to(x)
        return States(x, filled, (x * parts).sum(dim=1) / parts.sum(dim=1))

    def numbers(self, texts: Sequence[str]) -> Int[Tensor, "batch token"]:
        """Numbers of the first words of texts after the start, padded."""
        found = torch.full((len(texts), self.length), _PAD)
        for row, text in zip(found, texts, strict=True):
            numbers = [_START, *map(self._number, _WORD.findall(text.lower()))][: self.length]
            row[: len(numbers)] = torch.tensor(numbers)
        return found

    def _number(self, word: str) -> int:
        shared = _FIRST + len(self.known) + zlib.crc32(word.encode()) % self.buckets
        return self.known.get(word, shared)


class Layer(nn.Module):
    """Self-attention and a perceptron, each of the normalised input and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Float[Tensor, "batch token width"], filled: Bool[Tensor, "batch token"]) -> Tensor:
        """States after this layer; only places that are filled are attended to."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=filled[:, None, None])
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


def _projection(inputs: int, width: int, form: str) -> nn.Sequential:
    """Two layers for a vector; tokens are left as they are where their width is right."""
    if form == "vector":
        return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))
    return nn.Sequential() if inputs == width else nn.Sequential(nn.Linear(inputs, width))
