"""People that nobody photographed: coefficients drawn for a seed, and pictures of them that control a model."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.data.hint_faces import KNOWN
from facegen.data.hints import hint
from facegen.morphable.model import MorphableModel
from facegen.morphable.procedural import ProceduralHead, random_light, random_person
from facegen.networks.latents import average_label

Columns = dict[str, Float[Tensor, "face number"]]


def drawn_people(head: ProceduralHead, seeds: Sequence[int]) -> Columns:
    """People as the synthetic source draws them, lit as they would be from in front."""
    front = average_label(25)[0]
    people, lights = [], []
    for seed in seeds:
        random = np.random.default_rng([seed, 1])
        people.append(random_person(head, random))
        lights.append(random_light(random, front).ravel())
    parts = [*(np.stack(values) for values in zip(*people, strict=True)), np.stack(lights)]
    return {name: torch.from_numpy(part.astype(np.float32)) for name, part in zip(KNOWN, parts, strict=True)}


def render_hints(
    names: Sequence[str], columns: Columns, cameras: Float[Tensor, "face 25"], side: int, model: MorphableModel | None
) -> dict[str, Float[Tensor, "face 3 side side"]]:
    """Hints of faces, each before its camera. model: of a column `coefficients`, None for the built-in one."""
    images = torch.zeros(1, 1, 1, 1).expand(len(cameras), 3, side, side)
    batch = FaceBatch(images, cameras, dict(columns), [])
    return {name: hint(name, batch, side, model) for name in names}
