"""Embeddings of conditions that are tensors: numbers, classes, tokens that are embedded already.

Each has `form` (vector or tokens), `shape` of what one sample becomes, `arguments` that build it again, and `check`.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

FORMS = ("vector", "tokens")
_LEAST_STD = 1e-6


class Numbers(nn.Module):
    """(N, size) numbers, standardised, through two layers: a vector of `width`, or `tokens` tokens of `width`."""

    learned_null = True

    def __init__(self, width: int, size: int, form: str = "vector", tokens: int = 4) -> None:
        super().__init__()
        self.form, self.shape = form, _shape(form, tokens, width)
        self.arguments: dict[str, Any] = {"size": _positive("size", size), "form": form}
        self.arguments |= {"tokens": tokens} if form == "tokens" else {}
        self.size = size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        outputs = width * (tokens if form == "tokens" else 1)
        self.layers = nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, outputs))
        self.mean: Tensor
        self.std: Tensor

    def forward(self, values: Float[Tensor, "batch size"]) -> Tensor:
        """(N, width) or (N, tokens, width)."""
        return self.layers((values.to(self.mean) - self.mean) / self.std).unflatten(1, self.shape)

    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Set what is subtracted and divided by."""
        if mean.shape != self.mean.shape or std.shape != self.std.shape:
            got = f"{tuple(mean.shape)} and {tuple(std.shape)}"
            raise ValueError(f"statistics: got mean and std of shapes {got}, expected ({self.size},)")
        if not (mean.isfinite().all() and std.isfinite().all()):
            raise ValueError("statistics: got a mean or std that is not finite")
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std < _LEAST_STD, torch.ones_like(std), std))

    def check(self, name: str, values: Any, count: int) -> None:
        """ValueError where values are not what this embeds."""
        check_tensor(name, values, (count, self.size))


class Classes(nn.Module):
    """(N, size) one-hot classes, or mixtures of them, as their learned embeddings: a vector, or one token."""

    learned_null = True

    def __init__(self, width: int, size: int, form: str = "vector") -> None:
        super().__init__()
        self.form, self.shape = form, _shape(form, 1, width)
        self.arguments = {"size": _positive("size", size), "form": form}
        self.size = size
        self.weight = nn.Parameter(0.02 * torch.randn(size, width))

    def forward(self, values: Float[Tensor, "batch size"]) -> Tensor:
        """(N, width) or (N, 1, width)."""
        return (values.to(self.weight) @ self.weight).unflatten(1, self.shape)

    def check(self, name: str, values: Any, count: int) -> None:
        """ValueError where values are not what this embeds."""
        check_tensor(name, values, (count, self.size))


class GivenTokens(nn.Module):
    """(N, tokens, size) tokens that something else embedded, such as a text encoder, as they are; size is `width`.

    For models that were trained with such tokens, whose embedding of nothing belongs into the conditioner's `nulls`.
    """

    learned_null = True

    def __init__(self, width: int, size: int, tokens: int, form: str = "tokens") -> None:
        super().__init__()
        if size != width or form != "tokens":
            raise ValueError(f"got given tokens of width {size} as {form}, expected tokens of the width {width}")
        self.form, self.shape = form, _shape(form, tokens, width)
        self.arguments = {"size": size, "tokens": tokens, "form": form}

    def forward(self, values: Float[Tensor, "batch token width"]) -> Tensor:
        """The same."""
        return values

    def check(self, name: str, values: Any, count: int) -> None:
        """ValueError where values are not such tokens."""
        check_tensor(name, values, (count, *self.shape))


def check_tensor(name: str, values: Any, shape: tuple[int, ...]) -> None:
    """ValueError unless values are finite numbers of a shape."""
    if not isinstance(values, Tensor) or tuple(values.shape) != shape:
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"{name}: got {got}, expected numbers of shape {shape}")
    if not values.isfinite().all():
        wrong = int((~values.isfinite()).flatten(1).any(dim=1).sum())
        raise ValueError(f"{name}: numbers of {wrong} of {shape[0]} samples are not finite; leave these samples out")


def _shape(form: str, tokens: int, width: int) -> tuple[int, ...]:
    if form not in FORMS:
        raise ValueError(f"got the form {form!r}, expected vector or tokens")
    return (width,) if form == "vector" else (_positive("tokens", tokens), width)


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"got {value} as {name}, expected 1 or more")
    return value
