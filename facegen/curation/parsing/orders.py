"""Ids of any parser as CelebAMask-HQ's, with left and right decided by where things are.

CelebAMask-HQ's `l_` is the person's own left: at the right of the picture where the person looks at the camera. (So
`l_eye`, `l_brow`, `l_ear`; `l_lip` is the lower lip.) No parser is believed in this: the published BiSeNet was trained
on flipped pictures whose labels had not changed sides (https://github.com/zllrunning/face-parsing.PyTorch/pull/26).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from facegen.data.masks import CELEBAMASK, Mask

PAIRS = (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear"))
_WHOLE = {"eye": "l_eye", "ear": "l_ear", "brow": "l_brow", "lips": "u_lip"}  # parts that do not tell two apart
UPPER, LOWER = ("l_eye", "r_eye", "l_brow", "r_brow", "eye_g"), ("mouth", "u_lip", "l_lip")
_ROOT = 0.2  # share of the nose, from its upper end, that lies between the eyes
_STRADDLES = 0.25  # share of a piece on either side from which it is cut in two


def to_celebamask(ids: Mask, parts: Sequence[str]) -> Mask:
    """Ids of `parts` as CelebAMask-HQ's. Raises ValueError for parts that are not among those.

    Parts that do not tell left from right, or upper lip from lower, are divided.
    """
    names = [_WHOLE.get(name, name) for name in parts]
    if strange := [name for name in names if name not in CELEBAMASK]:
        raise ValueError(f"parser: it knows the part {strange[0]!r}, expected some of: {', '.join(CELEBAMASK)}")
    mask = np.array([CELEBAMASK.index(name) for name in names], dtype=np.uint8)[ids]
    return with_sides(_with_lips(mask) if "lips" in parts else mask)


def with_sides(mask: Mask) -> Mask:
    """CelebAMask-HQ's ids with eyes, brows and ears named by the side of the nose's root on which they lie."""
    found, root, right = mask.copy(), _root(mask), _right(mask)
    if root is None:
        return found
    for left_name, right_name in PAIRS:
        both = where(mask, (left_name, right_name))
        for piece in _pieces(both):
            own_right = (np.argwhere(piece)[:, ::-1] - root) @ right < 0  # the person's right is the picture's left
            if not _STRADDLES < own_right.mean() < 1 - _STRADDLES:
                own_right[:] = own_right.mean() > 0.5
            found[piece] = np.where(own_right, CELEBAMASK.index(right_name), CELEBAMASK.index(left_name))
    return found


def where(mask: Mask, names: Sequence[str]) -> Bool[np.ndarray, "height width"]:
    """Where CelebAMask-HQ's ids are one of some parts."""
    return np.isin(mask, [CELEBAMASK.index(name) for name in names])


def centre(area: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "2"]:
    """Mean x and y of an area that is not empty, counted in whole pixels."""
    return np.argwhere(area)[:, ::-1].mean(axis=0)


def _with_lips(mask: Mask) -> Mask:
    """Lips divided at the middle of the mouth; where it is closed, at their own."""
    lips, mouth = where(mask, ("u_lip",)), where(mask, ("mouth",))
    if lips.any():
        middle = centre(mouth if mouth.any() else lips)
        right = _right(mask)
        below = (np.argwhere(lips)[:, ::-1] - middle) @ np.array([-right[1], right[0]]) > 0
        mask = mask.copy()
        mask[lips] = np.where(below, CELEBAMASK.index("l_lip"), CELEBAMASK.index("u_lip"))
    return mask


def _root(mask: Mask) -> Float[np.ndarray, "2"] | None:
    """Where the nose begins between the eyes, (x, y); without a nose the middle of the skin, None without any."""
    nose, skin = where(mask, ("nose",)), where(mask, ("skin",))
    if not nose.any():
        return centre(skin) if skin.any() else None
    points, right = np.argwhere(nose)[:, ::-1], _right(mask)
    height = points @ np.array([-right[1], right[0]])
    return points[height <= np.quantile(height, _ROOT)].mean(axis=0)


def _right(mask: Mask) -> Float[np.ndarray, "2"]:
    """Direction to the right of the face as seen: across the way from the eyes to the mouth."""
    upper, lower = where(mask, UPPER), where(mask, LOWER)
    if not (upper.any() and lower.any()):
        return np.array([1.0, 0.0])
    down = centre(lower) - centre(upper)
    return np.array([down[1], -down[0]]) / max(float(np.linalg.norm(down)), 1e-9)


def _pieces(area: Bool[np.ndarray, "height width"]) -> list[Bool[np.ndarray, "height width"]]:
    count, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=8)
    return [np.asarray(labels) == number for number in range(1, count)]
