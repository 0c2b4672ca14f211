"""Whether generated pictures show what they were asked to show: figures for every condition, and beside each chance.

A generator is asked for what held-out faces show; judges look at its pictures. Chance is the same figure of the same
pictures beside what another face was asked to show. See docs/adherence.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset
from facegen.data.pictures import to_uint8
from facegen.evaluation.adherence_figures import Comparison
from facegen.evaluation.adherence_sides import Judges, Seen, Truth, judged, see, truth_of
from facegen.evaluation.asked import Asked, asked_of_faces, denoised
from facegen.evaluation.draws import word
from facegen.evaluation.plan import Denoising
from facegen.networks.latents import latents

CHANCE = "chance/"  # before the names of figures beside what other faces were asked to show
_HOW = Denoising()


class Shown(NamedTuple):
    """Some of the faces: what they are, what the generator was shown, what it made, what judges see in it."""

    batch: FaceBatch
    hints: Mapping[str, Float[Tensor, "batch 3 side side"]]
    truth: Truth
    seen: Seen


class Measured(NamedTuple):
    """Figures by name, those of chance as `chance/<name>`; the faces of the first batch."""

    figures: dict[str, float]
    shown: Shown


class FaceDraws:
    """Random numbers of some faces, each a function of the seed and of its own place: batches make no difference."""

    def __init__(self, seed: int, places: Sequence[int], device: torch.device) -> None:
        self.device = device
        mixed = [word(f"{seed}/{place}/adherence") % 2**63 for place in places]
        self._generators = [torch.Generator().manual_seed(each) for each in mixed]

    def randn(self, shape: Sequence[int], device: torch.device | None = None) -> Tensor:
        """Standard normal numbers; the first axis is that of the faces, or of two copies of them."""
        rows = [torch.randn(tuple(shape[1:]), generator=each) for each in self._generators]
        return torch.stack(rows).to(self.device)

    def indices(self, high: int, count: int) -> Tensor:
        """A whole number in [0, high) for each face."""
        return torch.cat([torch.randint(high, (1,), generator=each) for each in self._generators])


def measure(
    generator: Any | None,
    dataset: FaceDataset,
    items: Sequence[int],
    judges: Judges,
    denoising: Denoising = _HOW,
    seed: int = 0,
    batch_size: int = 16,
    rank: int = 0,
    world: int = 1,
) -> Measured:
    """Adherence of a `LatentGenerator` that is asked for what `items` of a dataset show; None: of their own pictures.

    Own pictures are the ceiling: what is missing there is the judges' error. Face i has the latent of seed + i and, for
    chance, is compared with face i + 1. rank, world: of a distributed program in which every process calls this with
    the same arguments and gets the same figures. What is judged follows from the dataset's columns and the judges.
    Raises ValueError for fewer than two faces, where nothing can be judged, and for masks of other parts.
    """
    names = judged(dataset, judges)
    if len(items) < 2 * world:
        raise ValueError(f"adherence: got {len(items)} faces, expected at least {2 * world}, to compare with others")
    if not names:
        raise ValueError(
            "adherence: nothing of these faces can be judged; it takes masks and a parser, or camera labels, landmarks "
            "or coefficients and a regressor, or sketches (docs/adherence.md)"
        )
    device = torch.device("cpu") if generator is None else next(generator.parameters()).device
    judges, first = judges.to(device), None
    asked, chance = (Comparison(names, judges, sync=world > 1) for _ in range(2))
    for places in _batches(len(items), batch_size, rank, world):
        batch, others = (dataset[[items[(place + step) % len(items)] for place in places]] for step in (0, 1))
        images, hints = _pictures(generator, batch, FaceDraws(seed, places, device), denoising, seed, places)
        seen, truth = see(images, judges, names), truth_of(batch, judges, names)
        asked.update(seen, truth, judges)
        chance.update(seen, truth_of(others, judges, names), judges)
        first = first or Shown(batch, hints, truth, seen)
    assert first is not None
    figures = asked.figures() | {f"{CHANCE}{name}": value for name, value in chance.figures().items()}
    return Measured(figures, first)


def _batches(count: int, batch_size: int, rank: int, world: int) -> Iterator[list[int]]:
    """The places of one process."""
    mine = np.arange(rank, count, world)
    for first in range(0, len(mine), batch_size):
        yield mine[first : first + batch_size].tolist()


def _pictures(
    generator: Any | None,
    batch: FaceBatch,
    draws: FaceDraws,
    denoising: Denoising,
    seed: int,
    places: Sequence[int],
) -> tuple[UInt8[Tensor, "batch 3 side side"], Mapping[str, Tensor]]:
    """Pictures that are asked to be like the faces of a batch, and the hints that were given."""
    if generator is None:
        return batch.images, {}
    asked = asked_of_faces(generator, batch, draws)
    if denoising.conditions == "dropped":
        asked = Asked(asked.c)
    z = latents([seed + place for place in places], generator.z_dim).to(draws.device)
    return to_uint8(denoised(generator, z, asked, denoising, draws.randn)).cpu(), asked.hints
