"""Conditions of a diffusion model as what its denoiser takes: one vector, and tokens to attend to."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.diffusion.condition_inputs import Classes, GivenTokens, Numbers
from facegen.networks.diffusion.context import Context
from facegen.networks.diffusion.text import Text

KINDS: dict[str, type[Numbers | Classes | GivenTokens | Text]] = {
    "numbers": Numbers,
    "class": Classes,
    "text": Text,
    "tokens": GivenTokens,
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Conditioner(nn.Module):
    """Several conditions at once, each of which can be left out.

    inputs: by name, `kind` (numbers, class, text, or tokens: already embedded), what the kind takes (`size`, `tokens`,
    `encoder`, ...; see `Numbers`, `Classes`, `Text`, `GivenTokens`), `form` (vector or tokens), `dropout`, the chance
    that training leaves this one out, on its own (default 0.1), and `columns`, where training finds it (see
    `facegen.models.condition_values`). width: of the vector and of each token. dropout: chance that training leaves out
    all of them together, beside their own.

    What is left out is a learned embedding, so that any of them can be missing and the number of tokens is fixed.
    Vectors are added up, tokens follow each other in the order of `inputs`.
    """

    def __init__(self, inputs: Mapping[str, Mapping[str, Any]], width: int = 256, dropout: float = 0.0) -> None:
        super().__init__()
        if not inputs or width < 1:
            raise ValueError(f"conditioner: got {len(inputs)} inputs of width {width}, expected at least one of each")
        self.names = tuple(inputs)
        self.embeddings, self.nulls = nn.ModuleDict(), nn.ParameterDict()
        self.inputs, self.dropout, self.dropout_all = {}, {}, _chance("conditioner", dropout)
        for name, given in inputs.items():
            embedding, common = _build(name, given, width)
            self.embeddings[name] = embedding
            if embedding.learned_null:
                self.nulls[name] = nn.Parameter(0.02 * torch.randn(embedding.shape))
            self.dropout[name] = _chance(name, common["dropout"])
            self.inputs[name] = {"kind": given["kind"], **common, **embedding.arguments}
        forms = {embedding.form for embedding in self._embeddings()}
        self.width = width
        self.vector_dim, self.token_dim = (width if form in forms else 0 for form in ("vector", "tokens"))
        self.init_kwargs = {"inputs": self.inputs, "width": width, "dropout": dropout}

    def forward(self, values: Mapping[str, Any], count: int, kept: Mapping[str, Tensor] | None = None) -> Context:
        """What a denoiser is told of `count` samples.

        values: by name, (count, ...) tensors or lists of texts; names may be missing. kept: by name, booleans (count,),
        false where that condition of a sample is left out. Raises ValueError for unknown names, for other shapes than
        the conditions have, and for numbers that are not finite.
        """
        if unknown := [name for name in (*values, *(kept or {})) if name not in self.embeddings]:
            raise ValueError(f"conditions: got {unknown[0]!r}, expected {', '.join(self.names)}, which the model has")
        embedded = {"vector": [], "tokens": []}
        for name in self.names:
            rows = self._rows(name, values.get(name), count, None if kept is None else kept.get(name))
            embedded[self.inputs[name]["form"]].append(rows)
        vectors, tokens = embedded.values()
        vector = torch.stack(vectors).sum(dim=0) if vectors else None
        return Context(vector, torch.cat(tokens, dim=1) if tokens else None)

    def standardise(self, name: str, mean: Float[Tensor, " size"], std: Float[Tensor, " size"]) -> None:
        """What a condition of numbers subtracts and divides by; numbers that do not vary are divided by 1."""
        if name not in self.of_numbers:
            raise ValueError(
                f"conditions: got {name!r}, expected one of numbers: {', '.join(self.of_numbers) or 'none'}"
            )
        embedding: Any = self.embeddings[name]
        embedding.standardise(mean, std)

    @property
    def of_numbers(self) -> tuple[str, ...]:
        """Names of the conditions that are numbers."""
        return tuple(name for name in self.names if isinstance(self.embeddings[name], Numbers))

    def _embeddings(self) -> list[Any]:
        return list(self.embeddings.values())

    def _rows(self, name: str, value: Any, count: int, kept: Tensor | None) -> Tensor:
        embedding: Any = self.embeddings[name]
        if value is not None:
            embedding.check(name, value, count)
        if name not in self.nulls:  # left out means the empty text, as Stable Diffusion has it
            keeps = [True] * count if kept is None else kept.tolist()
            return embedding([text if keep else "" for text, keep in zip(value or [""] * count, keeps, strict=True)])
        null = self.nulls[name].expand(count, *embedding.shape)
        if value is None:
            return null
        rows = embedding(value).to(null.device)
        return rows if kept is None else torch.where(kept.to(rows.device).view(-1, *[1] * (rows.ndim - 1)), rows, null)


def _build(name: str, given: Mapping[str, Any], width: int) -> tuple[Any, dict[str, Any]]:
    """The embedding of one condition, and the arguments that all kinds share."""
    if not _NAME.fullmatch(name) or hasattr(nn.ModuleDict, name):
        raise ValueError(f"conditioner: got an input called {name!r}, expected a name such as camera or coefficients")
    arguments = dict(given)
    kind = arguments.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"conditioner: {name}: got the kind {kind!r}, expected one of {', '.join(KINDS)}")
    common: dict[str, Any] = {"dropout": arguments.pop("dropout", 0.1)}
    if (columns := arguments.pop("columns", None)) is not None:
        common["columns"] = [columns] if isinstance(columns, str) else list(columns)
    takes = [parameter for parameter in inspect.signature(KINDS[kind]).parameters if parameter != "width"]
    if unknown := [key for key in arguments if key not in takes]:
        known = ", ".join(("kind", "dropout", "columns", *takes))
        raise ValueError(f"conditioner: {name}: got {unknown[0]!r}, expected {known}")
    if "size" in takes and "size" not in arguments:
        raise ValueError(f"conditioner: {name}: expected its size, how many numbers it has")
    try:
        return KINDS[kind](width=width, **arguments), common
    except ValueError as error:
        raise ValueError(f"conditioner: {name}: {error}") from error


def _chance(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"conditioner: {name}: got dropout {value}, expected a chance from 0 to 1")
    return value
