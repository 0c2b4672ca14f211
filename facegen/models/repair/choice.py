"""Which candidate of a repair is kept: the best to somebody's taste that is still the same person."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Pictures = UInt8[Tensor, "picture 3 height width"]
Embed = Callable[[Pictures], Float[Tensor, "picture feature"]]
Taste = Callable[[Pictures], Float[Tensor, " picture"]]


class Judges(NamedTuple):
    """Who says what of candidates.

    `identity`: embeddings of people, compared by their Euclidean distance; a candidate further than `max_distance` from
    the picture is somebody else (dlib's: 0.6). `taste`: higher is better, and from `enough` on good enough: the most
    liked candidate is everybody's mean. Each may be missing.
    """

    identity: Embed | None = None
    taste: Taste | None = None
    max_distance: float | None = None
    enough: float | None = None


class Judgement(NamedTuple):
    """Of one candidate; None where nobody was asked. `remoteness`: see `facegen.models.repair.latents`."""

    remoteness: float
    distance: float | None
    taste: float | None


def judge(
    pictures: UInt8[Tensor, "candidate 3 height width"],
    source: UInt8[Tensor, "3 height width"],
    remoteness: Float[Tensor, " candidate"],
    judges: Judges,
) -> list[Judgement]:
    """Judgements of the candidates for one picture."""
    distances, tastes = [None] * len(pictures), [None] * len(pictures)
    if judges.identity is not None:
        own, *others = judges.identity(torch.cat([source[None].to(pictures.device), pictures]))
        distances = (torch.stack(others) - own).norm(dim=1).tolist()
    if judges.taste is not None:
        tastes = judges.taste(pictures).tolist()
    return [Judgement(*values) for values in zip(remoteness.tolist(), distances, tastes, strict=True)]


def choose(
    judgements: Sequence[Judgement], max_distance: float | None = None, enough: float | None = None
) -> int | None:
    """Of the candidates that are the same person: of those liked well enough the most alike, else the most liked.

    Without taste, the one nearest to the mean. None where all are somebody else.
    """
    near = [
        place
        for place, each in enumerate(judgements)
        if max_distance is None or each.distance is None or each.distance <= max_distance
    ]
    liked = [place for place in near if enough is not None and (judgements[place].taste or 0.0) >= enough]
    if liked:
        return min(liked, key=lambda place: _change(judgements[place]))
    return max(near, key=lambda place: _merit(judgements[place]), default=None)


def _change(judgement: Judgement) -> tuple[float, float]:
    return judgement.distance or 0.0, -judgement.remoteness


def _merit(judgement: Judgement) -> tuple[float, float]:
    return judgement.taste or 0.0, -judgement.remoteness
