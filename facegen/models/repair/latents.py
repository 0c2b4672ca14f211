"""Candidates of a repair: latents pulled toward the mean of encoded pictures, and how far from it they lie.

SFHQ made photographs out of paintings and renderings so: encode into W+, pull toward the mean, choose (Beniaguev 2022).
The truncation of Karras et al. 2019, w' = mean + psi (w - mean), pulls toward the mean of the mapping network, one w
for all layers. Encoded pictures lie elsewhere, and differently in every layer; theirs is the mean that is meant here.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.models.inversion import w_statistics

Layers = Literal["all", "coarse", "fine"]
LAYERS: tuple[Layers, ...] = ("all", "coarse", "fine")


class Encoded(NamedTuple):
    """Where encoded pictures lie in W+: their mean, and the root mean square distance from it, of each layer."""

    mean: Float[Tensor, "num_ws w_dim"]
    deviation: Float[Tensor, " num_ws"]


class Candidate(NamedTuple):
    """What is done to a latent: `psi` of its way from the mean is left in these layers; `draw` > 0: one of the noises.

    `coarse`: the first half of the layers (pose, shape), `fine`: the second (texture, colour); the others stay.
    """

    psi: float
    layers: Layers = "all"
    draw: int = 0


def encoded_mean(ws: Float[Tensor, "picture num_ws w_dim"]) -> Encoded:
    """Statistics of encoded pictures. Raises ValueError for less than two."""
    if len(ws) < 2:
        raise ValueError(f"encoded mean: got {len(ws)} pictures, expected at least 2, better 50 or more")
    mean = ws.double().mean(dim=0)
    deviation = (ws.double() - mean).square().sum(dim=2).mean(dim=0).sqrt()
    return Encoded(mean.float(), deviation.float())


def mapping_mean(
    generator: Any, conditioning: Float[Tensor, "1 c_dim"], samples: int = 10_000, seed: int = 0
) -> Encoded:
    """Statistics of mapped latents, alike in every layer: what is pulled to where no pictures were encoded."""
    found = w_statistics(generator, conditioning, samples, seed)
    return Encoded(found.mean.expand(generator.num_ws, -1), found.deviation.expand(generator.num_ws))


def candidates(psis: Sequence[float], layers: Sequence[Layers] = ("all",), draws: int = 0) -> list[Candidate]:
    """Every psi in every choice of layers, without noise and with each of `draws` noises.

    Raises ValueError for a psi beyond 0 to 1, layers that there are not, and nothing to choose from.
    """
    if not psis or any(not 0 <= psi <= 1 for psi in psis):
        raise ValueError(f"psi: got {list(psis)}, expected numbers from 0 (the mean) to 1 (as it was found)")
    if not layers or not set(layers) <= set(LAYERS):
        raise ValueError(f"layers: got {list(layers)}, expected some of: {', '.join(LAYERS)}")
    if draws < 0:
        raise ValueError(f"draws: got {draws}, expected 0 or more")
    every = [Candidate(*each) for each in itertools.product(psis, layers, range(draws + 1))]
    # a psi of 1 moves nothing, whatever the layers
    return list(dict.fromkeys(each._replace(layers="all") if each.psi == 1 else each for each in every))


def pulled(
    ws: Float[Tensor, "num_ws w_dim"], encoded: Encoded, wanted: Sequence[Candidate], noise: float = 0.0, seed: int = 0
) -> Float[Tensor, "candidate num_ws w_dim"]:
    """The latents of candidates. noise: length of the drawn ones, in deviations of each layer; alike for everybody."""
    found = []
    for psi, layers, draw in wanted:
        pull = torch.ones_like(encoded.deviation)
        half = len(pull) // 2
        pull[{"all": slice(None), "coarse": slice(half), "fine": slice(half, None)}[layers]] = psi
        moved = encoded.mean + pull[:, None] * (ws - encoded.mean)
        if draw:
            random = torch.Generator().manual_seed(seed * 1000 + draw)
            shaken = torch.randn(ws.shape, generator=random).to(ws) / ws.shape[1] ** 0.5
            moved = moved + noise * encoded.deviation[:, None] * shaken
        found.append(moved)
    return torch.stack(found)


def remoteness(ws: Float[Tensor, "picture num_ws w_dim"], encoded: Encoded) -> Float[Tensor, " picture"]:
    """Root mean square over the layers of the distance from the mean, in deviations: 1 for an average picture."""
    apart = (ws - encoded.mean).square().sum(dim=2) / encoded.deviation.square().clamp_min(1e-12)
    return apart.mean(dim=1).sqrt()
