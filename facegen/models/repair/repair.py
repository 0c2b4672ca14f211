"""Repair of pictures whose latents are known: candidates made, judged, chosen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.data.pictures import to_uint8
from facegen.models.inversion import synthesize
from facegen.models.repair.choice import Judgement, Judges, choose, judge
from facegen.models.repair.latents import Candidate, Encoded, pulled, remoteness
from facegen.networks.eg3d import is_3d


class Repaired(NamedTuple):
    """What became of one picture. `chosen`: place of the candidate that is kept, None where none is near enough."""

    pictures: UInt8[Tensor, "candidate 3 height width"]
    ws: Float[Tensor, "candidate num_ws w_dim"]
    judgements: list[Judgement]
    chosen: int | None


@torch.no_grad()
def repair(
    generator: Any,
    source: UInt8[Tensor, "3 height width"],
    ws: Float[Tensor, "num_ws w_dim"],
    encoded: Encoded,
    wanted: Sequence[Candidate],
    judges: Judges,
    camera: Float[Tensor, "25"] | None = None,
    noise: float = 0.0,
    seed: int = 0,
    batch_size: int = 8,
) -> Repaired:
    """Make the candidates for a picture whose latent is `ws`, and choose one.

    camera: of the picture, for a generator with geometry. noise: see `pulled`.
    """
    moved, made = pulled(ws, encoded, wanted, noise, seed), []
    # the samples on the rays are jittered by the place in a batch: alone, all candidates are seen alike
    for part in moved.split(1 if is_3d(generator) else batch_size):
        cameras = None if camera is None else camera.expand(len(part), -1)
        made.append(to_uint8(synthesize(generator, part, cameras).image))
    pictures = torch.cat(made)
    judgements = judge(pictures, source, remoteness(moved, encoded), judges)
    return Repaired(pictures, moved, judgements, choose(judgements, judges.max_distance, judges.enough))
