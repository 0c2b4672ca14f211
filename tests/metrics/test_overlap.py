"""Intersection over union of masks: known answers, what is left out, what is refused."""

import pytest
import torch
from torch import Tensor

from facegen.metrics.overlap import MaskIoU, overlap


def masks(*rows: list[int]) -> Tensor:
    """Masks (N, 1, 1, W)."""
    return torch.tensor(rows, dtype=torch.uint8)[:, None, None]


def measured(found: Tensor, asked: Tensor, parts: int = 4) -> tuple[float, list[float]]:
    metric = MaskIoU(parts)
    metric.update(found, asked)
    result = metric.compute()
    return float(result.mean), result.parts.tolist()


def test_known_answers() -> None:
    mean, parts = measured(masks([0, 1, 1, 2]), masks([0, 1, 2, 2]))
    assert parts[:3] == [1, 0.5, 0.5] and mean == 0.5, "the background does not count in the mean"
    mean, parts = measured(masks([0, 1, 2, 3]), masks([0, 1, 2, 3]))
    assert mean == 1 and parts == [1, 1, 1, 1]
    assert measured(masks([0, 0, 0, 0]), masks([1, 1, 2, 2]))[0] == 0


def test_parts_that_nobody_asked_for_are_left_out() -> None:
    mean, parts = measured(masks([0, 1, 1, 3]), masks([0, 1, 1, 1]))
    assert parts[1] == pytest.approx(2 / 3) and mean == parts[1] and parts[2] != parts[2] and parts[3] != parts[3]


def test_empty_masks_have_no_mean() -> None:
    mean, parts = measured(masks([0, 1]), masks([0, 0]))
    assert mean != mean and parts[0] == 0.5


def test_pixels_of_all_pictures_count_alike() -> None:
    found, asked = torch.randint(4, (2, 9, 1, 5, 5), generator=torch.Generator().manual_seed(0)).unbind()
    whole, split = MaskIoU(4), MaskIoU(4)
    whole.update(found, asked)
    for part in (slice(0, 2), slice(2, 9)):
        split.update(found[part], asked[part])
    assert torch.equal(whole.compute().parts, split.compute().parts)
    both = torch.stack([((found == k) & (asked == k)).sum() / ((found == k) | (asked == k)).sum() for k in range(4)])
    torch.testing.assert_close(whole.compute().parts.float(), both)
    assert torch.equal(whole.confusion, whole.confusion.round()) and whole.confusion.sum() == found.numel()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"masks \(1, 1, 1, 2\) and \(1, 1, 1, 3\)"):
        MaskIoU(2).update(masks([0, 1]), masks([0, 1, 1]))
    with pytest.raises(ValueError, match="ids 0 to 4, expected 0 to 3"):
        MaskIoU(4).update(masks([0, 4]), masks([0, 1]))
    assert overlap(torch.zeros(2, 2)).mean.isnan()
