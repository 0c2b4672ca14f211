"""Masks of face parts: two orders of ids in use, their colours, and how they are made from one file for each part.

CelebAMask-HQ (and Multi-Modal-CelebA-HQ) numbers the parts in one order, face-parsing.PyTorch (SFHQ's and FFHQ-UV's
segmentations) in another; both are called 0..18, so an array alone does not say which it has.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

CELEBAMASK = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip"),
    *("l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
FACE_PARSING = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r", "nose", "mouth"),
    *("u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
)
NUM_IDS = len(CELEBAMASK)
COLORS = np.array(  # RGB of CelebAMask-HQ's ids
    [
        *([0, 0, 0], [204, 0, 0], [76, 153, 0], [204, 204, 0], [51, 51, 255], [204, 0, 204], [0, 255, 255]),
        *([255, 204, 204], [102, 51, 0], [255, 0, 0], [102, 204, 0], [255, 255, 0], [0, 0, 153], [0, 0, 204]),
        *([255, 51, 153], [0, 204, 204], [0, 51, 0], [255, 153, 51], [0, 204, 0]),
    ],
    dtype=np.uint8,
)
GROUPS = {  # of face-parsing ids, as SFHQ's script shows them
    "face": frozenset(range(1, 14)),
    "skin": frozenset([1]),
    "face_parts": frozenset(range(2, 14)),
    "background_neck_cloth": frozenset([0, 14, 15, 16]),
    "hair_and_hat": frozenset([17, 18]),
}
DARKENING = 0.35

Mask = UInt8[np.ndarray, "height width"]


def merge_parts(parts: Bool[np.ndarray, "18 height width"], order: Sequence[str] = CELEBAMASK) -> Mask:
    """One mask of ids in `order` from the 18 parts, which come in CelebAMask-HQ's order without the background.

    Where parts overlap, the later one in `order` wins; so merging in one order and converting is not the same as
    merging in the other.
    """
    if parts.ndim != 3 or len(parts) != NUM_IDS - 1:
        raise ValueError(f"masks: got parts {parts.shape}, expected {NUM_IDS - 1} of the same height and width")
    merged = np.zeros(parts.shape[1:], dtype=np.uint8)
    for number, label in enumerate(order[1:], 1):
        merged[parts[CELEBAMASK.index(label) - 1]] = number
    return merged


def convert_ids(mask: Mask, source: Sequence[str], target: Sequence[str]) -> Mask:
    """The same parts numbered in another order. Raises ValueError for ids beyond 18."""
    check_ids(mask)
    return np.array([target.index(label) for label in source], dtype=np.uint8)[mask]


def colorize(mask: Mask, order: Sequence[str] = CELEBAMASK) -> UInt8[np.ndarray, "height width 3"]:
    """A mask in CelebAMask-HQ's colours. Raises ValueError for ids beyond 18."""
    return COLORS[convert_ids(mask, order, CELEBAMASK)]


def in_group(mask: Mask, group: str) -> Bool[np.ndarray, "height width"]:
    """Where a mask of face-parsing ids shows a group of parts."""
    if group not in GROUPS:
        raise ValueError(f"masks: got the group {group!r}, expected one of: {', '.join(GROUPS)}")
    return np.isin(mask, sorted(GROUPS[group]))


def darken(
    image: UInt8[np.ndarray, "height width 3"], where: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """An image darkened in places, so that the rest stands out: SFHQ's way to show a segmentation."""
    darkened = image.copy()
    darkened[where] = (DARKENING * image[where]).astype(np.uint8)
    return darkened


def check_ids(mask: Mask) -> None:
    """Raise ValueError where a mask has ids beyond 18."""
    if mask.size and (largest := int(mask.max())) >= NUM_IDS:
        raise ValueError(f"masks: got the id {largest}, expected 0 to {NUM_IDS - 1}")
