"""Masks of pictures of any size and shape, and the second look at small faces."""

import numpy as np
import pytest
import torch
from torch import nn

from facegen.curation.parsing.orders import to_celebamask
from facegen.curation.parsing.pictures import face_window, parse_pictures
from facegen.data.masks import CELEBAMASK
from tests.curation.parsing import colors


@pytest.mark.parametrize("shape", [(64, 64), (48, 64), (64, 40), (200, 160), (1500, 1200)])
def test_pictures_of_any_shape_have_masks_of_theirs(shape: tuple[int, int]) -> None:
    scale = shape[0] / 64
    rows_, columns = (np.minimum((np.arange(size) / scale).astype(int), 63) for size in shape)
    ids = colors.face()[rows_][:, columns]
    (mask,) = parse_pictures(colors.load(64), [colors.drawn(ids)])
    assert mask.shape == shape
    assert (mask == to_celebamask(ids, colors.PARTS)).mean() > 0.9


def test_pictures_do_not_see_each_other() -> None:
    pictures = [colors.drawn(colors.face(turn))[: 64 - turn] for turn in range(6)]
    network = colors.load(64)
    together = parse_pictures(network, pictures)
    assert all((parse_pictures(network, [one])[0] == mask).all() for one, mask in zip(pictures, together, strict=True))


class Second(nn.Module):
    """Sees a face in a corner of the first picture, and only a hat in the second, which it keeps."""

    def __init__(self, mask: np.ndarray) -> None:
        super().__init__()
        self.parts, self.size, self.mask, self.seen = CELEBAMASK, len(mask), mask, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        ids = torch.from_numpy(self.mask).long() if len(self.seen) == 1 else torch.full(self.mask.shape, 14)
        return nn.functional.one_hot(ids, 19).permute(2, 0, 1)[None].float()


def test_small_faces_are_looked_at_twice() -> None:
    """The second look is at FFHQ's crop of the face, and counts there."""
    mask = np.zeros((128, 128), np.uint8)
    mask[60:124, 20:84] = to_celebamask(colors.face(), colors.PARTS)
    y, x = np.mgrid[:128, :128].astype(np.uint8)
    network, pixels = Second(mask), np.stack([x, y, x], axis=2)
    (found,) = parse_pictures(network, [pixels])
    hat, (rows_, columns) = found == CELEBAMASK.index("hat"), face_window(mask)  # type: ignore[misc]
    assert hat[rows_, columns].all() and (found == mask)[~hat].all() and hat.sum() == 68 * 67
    assert abs((rows_.start + rows_.stop) / 2 - 94) < 4 and abs((columns.start + columns.stop) / 2 - 52) < 4
    corner = (network.seen[1][0, :2, [0, -1], [0, -1]].T + 1) * 127.5
    expected = [[columns.start, rows_.start], [columns.stop - 1, rows_.stop - 1]]
    np.testing.assert_allclose(corner, expected, atol=1)
    assert face_window(mask[60:124, 20:84]) is None


def test_of_two_faces_the_larger_is_looked_at() -> None:
    ids = np.zeros((256, 256), np.uint8)
    ids[10:74, 10:74], ids[150:214:2, 150:214:2] = colors.face(), colors.face()[::2, ::2]
    rows_, columns = face_window(to_celebamask(ids, colors.PARTS))  # type: ignore[misc]
    assert rows_.start < 20 and columns.start < 20
    assert face_window(np.zeros((64, 64), np.uint8)) is None
