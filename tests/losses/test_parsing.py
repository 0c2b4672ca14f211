"""Cross-entropy and Dice of masks: known answers."""

import math

import pytest
import torch

from facegen.losses.parsing import dice_loss, parsing_loss

IDS = torch.tensor([[[0, 0, 1, 1], [0, 0, 0, 2]]])


def certain(ids: torch.Tensor, parts: int = 4) -> torch.Tensor:
    """Logits of which nothing but `ids` is likely."""
    return 60 * torch.nn.functional.one_hot(ids, parts).movedim(-1, 1).float()


def test_the_truth_costs_nothing() -> None:
    assert parsing_loss(certain(IDS), IDS).item() == pytest.approx(0, abs=1e-5)


def test_dice_counts_every_part_that_is_shown_alike() -> None:
    all_background = torch.zeros_like(IDS)
    # Dice of the background: 2 * 5 / (8 + 5); of the other two parts 0; the fourth is not shown.
    assert dice_loss(certain(all_background), IDS).item() == pytest.approx(1 - (10 / 13) / 3, rel=1e-4)
    unsure = dice_loss(torch.zeros(1, 4, 2, 4), IDS).item()
    shares = [2 * (count / 4) / (2 + count) for count in (5, 2, 1)]
    assert unsure == pytest.approx(1 - sum(shares) / 3, rel=1e-5)


def test_losses_are_of_each_picture() -> None:
    logits = torch.randn(3, 4, 2, 4, generator=torch.Generator().manual_seed(0))
    ids = IDS.expand(3, -1, -1)
    whole = parsing_loss(logits, ids, dice=0.5)
    assert whole.shape == (3,)
    torch.testing.assert_close(parsing_loss(logits[1:2], IDS, dice=0.5), whole[1:2])
    assert parsing_loss(torch.zeros(1, 4, 2, 4), IDS, dice=0).item() == pytest.approx(math.log(4))
