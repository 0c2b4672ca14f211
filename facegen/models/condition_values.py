"""Which conditions a training step leaves out, beside what they are (`facegen.data.condition_values`)."""

import torch
from jaxtyping import Bool
from torch import Tensor

from facegen.data.condition_values import condition_values, fill_statistics
from facegen.models.draws import Draws
from facegen.networks.diffusion.conditioner import Conditioner

__all__ = ["condition_values", "dropout_masks", "fill_statistics"]


def dropout_masks(conditioner: Conditioner, count: int, draws: Draws) -> dict[str, Bool[Tensor, " sample"]]:
    """Which of `count` samples keep each condition: each is left out on its own, and all of them together.

    One number is drawn for each condition and one for all, whatever the chances are.
    """
    names = conditioner.names
    drawn = draws.rand([count, len(names) + 1])
    chances = torch.tensor([*(conditioner.dropout[name] for name in names), conditioner.dropout_all])
    keeps = drawn >= chances.to(drawn)
    return {name: keeps[:, place] & keeps[:, -1] for place, name in enumerate(names)}
