"""Losses of networks that say which part each pixel shows."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def dice_loss(
    logits: Float[Tensor, "batch part height width"], ids: Int[Tensor, "batch height width"]
) -> Float[Tensor, " batch"]:
    """1 - Dice of soft masks (Milletari et al. 2016, without the squares), mean over the parts that a picture shows.

    Small parts count as much as large ones. Parts that a picture does not show are left out: cross-entropy sees to
    those.
    """
    found = logits.softmax(dim=1).flatten(2)
    asked = F.one_hot(ids, logits.shape[1]).movedim(-1, 1).flatten(2).to(found)
    shown = asked.amax(dim=2)
    dice = 2 * (found * asked).sum(dim=2) / (found.sum(dim=2) + asked.sum(dim=2)).clamp(min=1e-6)
    return 1 - (dice * shown).sum(dim=1) / shown.sum(dim=1)


def parsing_loss(
    logits: Float[Tensor, "batch part height width"], ids: Int[Tensor, "batch height width"], dice: float = 1.0
) -> Float[Tensor, " batch"]:
    """Cross-entropy over pixels plus `dice` times the Dice loss, for each picture."""
    entropy = F.cross_entropy(logits, ids, reduction="none").mean(dim=(1, 2))
    return entropy + dice * dice_loss(logits, ids) if dice else entropy
