"""Ids of any parser as CelebAMask-HQ's; left and right are where they lie, whatever the parser said."""

import numpy as np
import pytest
from scipy.ndimage import rotate

from facegen.curation.parsing.orders import PAIRS, to_celebamask, with_sides
from facegen.data.masks import CELEBAMASK, FACE_PARSING, convert_ids
from tests.curation.parsing import colors


def where(mask: np.ndarray, name: str) -> np.ndarray:
    return np.argwhere(mask == CELEBAMASK.index(name))[:, ::-1].mean(axis=0)


def test_parts_that_do_not_tell_apart_are_divided() -> None:
    mask = to_celebamask(colors.face(), colors.PARTS)
    for left, right in PAIRS:  # the person's left is at the right of the picture
        assert where(mask, left)[0] > 32 > where(mask, right)[0]
        assert (mask == CELEBAMASK.index(left)).sum() == (mask == CELEBAMASK.index(right)).sum()
    assert where(mask, "u_lip")[1] < 49 < where(mask, "l_lip")[1]
    same = {"background": "background", "hair": "hair", "skin": "skin", "nose": "nose"}
    for own, name in same.items():
        assert ((colors.face() == colors.PARTS.index(own)) == (mask == CELEBAMASK.index(name))).all()


def test_both_published_orders_mean_the_same_parts() -> None:
    mask = to_celebamask(colors.face(), colors.PARTS)
    other = convert_ids(mask, CELEBAMASK, FACE_PARSING)
    assert (other != mask).any() and (to_celebamask(other, FACE_PARSING) == mask).all()
    assert (to_celebamask(mask, CELEBAMASK) == mask).all()


@pytest.mark.parametrize("turn", [-9, 0, 9])
@pytest.mark.parametrize("roll", [-35, 0, 35])
def test_sides_said_wrongly_are_put_right(turn: int, roll: int) -> None:
    right_way = to_celebamask(colors.face(turn), colors.PARTS)
    swapped = right_way.copy()
    for left, right in PAIRS:
        swapped[right_way == CELEBAMASK.index(left)] = CELEBAMASK.index(right)
        swapped[right_way == CELEBAMASK.index(right)] = CELEBAMASK.index(left)
    turned = [rotate(mask, roll, order=0, reshape=False) for mask in (swapped, right_way)]
    assert (turned[0] != turned[1]).any() and (with_sides(turned[0]) == turned[1]).all()


def test_the_eye_of_a_profile_is_the_one_that_is_seen() -> None:
    mask = to_celebamask(colors.face(), colors.PARTS)
    mask[:, 33:][np.isin(mask[:, 33:], [CELEBAMASK.index(f"l_{name}") for name in ("eye", "brow", "ear")])] = 0
    wrong = np.where(mask == CELEBAMASK.index("r_eye"), CELEBAMASK.index("l_eye"), mask).astype(np.uint8)
    assert (with_sides(wrong) == mask).all()  # it lies at the picture's left of the nose: the right eye


def test_nothing_is_made_of_nothing() -> None:
    empty = np.zeros((8, 8), np.uint8)
    assert (with_sides(empty) == 0).all() and (to_celebamask(empty, colors.PARTS) == 0).all()
    with pytest.raises(ValueError, match="knows the part 'tail', expected some of: background, skin"):
        to_celebamask(empty, ("background", "tail"))
