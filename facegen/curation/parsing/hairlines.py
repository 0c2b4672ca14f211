"""Inner and outer hairline from a mask and landmarks: SFHQ has such points beside the usual 68, 110 in all.

Inner: where the face ends and hair begins, as seen: the edge of a fringe that hangs into the forehead, not the roots
under it. Outer: where the hair ends, the outline of the head with its hair. SFHQ's own order of the points is not
published. Here both lines are read along rays that leave the root of the nose at equal angles.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from facegen.data.masks import Mask
from facegen.geometry.alignment import five_points

NUM_POINTS = 21  # of each line, from the left of the picture to its right: 9 degrees apart, the middle one straight up
NOSE_ROOT = 27  # of the 68 landmarks
_FACE = {
    *("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip"),
    *("eye", "brow", "ear", "lips"),  # of parsers that do not tell left from right
}
_HAIR, _HAT = "hair", "hat"
_STEP = 0.5  # pixels along a ray
# In units of the face: the larger of the eyes' distance and 0.9 of that from eyes to mouth, about equal from in front
_LEAST_HAIR = 0.04  # a ray through less hair has met a strand
_LARGEST_GAP = 0.15  # between face and hair, or within hair: earrings, parted locks


class Hairlines(NamedTuple):
    """Points (x, y) in pixels of the picture, its upper left corner (0, 0); NaN where there is no such line.

    `inner` is missing where the face ends in something else (a bald head, a hat, the other side of a turned head) and
    where hair covers the root of the nose; `outer` where the hair leaves the picture or goes on under a hat.
    """

    inner: Float[np.ndarray, "21 2"]
    outer: Float[np.ndarray, "21 2"]


def find_hairlines(mask: Mask, landmarks: Float[np.ndarray, "68 2"], parts: Sequence[str]) -> Hairlines:
    """Hairlines of a face in a mask whose ids stand for `parts`; landmarks in pixels of the mask."""
    right, unit = face_frame(landmarks)
    angles = np.linspace(-np.pi / 2, np.pi / 2, NUM_POINTS)
    up = np.array([right[1], -right[0]])
    directions = np.sin(angles)[:, None] * right + np.cos(angles)[:, None] * up
    distances = np.arange(0, np.hypot(*mask.shape), _STEP) + _STEP / 2
    met = _along(mask, landmarks[NOSE_ROOT] + distances[:, None] * directions[:, None], parts)
    ends = np.array([_ends(ray, unit / _STEP) for ray in met]) * _STEP
    lines = landmarks[NOSE_ROOT] + ends.T[..., None] * directions
    return Hairlines(lines[0], lines[1])


def face_frame(landmarks: Float[np.ndarray, "68 2"]) -> tuple[Float[np.ndarray, "2"], float]:
    """Direction to the right of the face as seen (FFHQ's, from eyes and mouth), and its unit of length in pixels."""
    five = five_points(landmarks)
    across, down = five[1] - five[0], five[3:].mean(axis=0) - five[:2].mean(axis=0)
    right = across + np.array([down[1], -down[0]])
    unit = max(float(np.linalg.norm(across)), 0.9 * float(np.linalg.norm(down)))
    return right / max(float(np.linalg.norm(right)), 1e-9), unit


def _along(mask: Mask, points: Float[np.ndarray, "ray step 2"], parts: Sequence[str]) -> list[list[str]]:
    """What rays meet, step by step: face, hair, hat, other; they end where the picture does."""
    kinds = np.array([_kind(name) for name in parts])
    x, y = np.floor(points).astype(np.int64).transpose(2, 0, 1)
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    lengths = np.where(inside.all(axis=1), inside.shape[1], inside.argmin(axis=1))
    return [kinds[mask[y[ray, :end], x[ray, :end]]].tolist() for ray, end in enumerate(lengths)]


def _kind(part: str) -> str:
    return "face" if part in _FACE else part if part in (_HAIR, _HAT) else "other"


def _ends(ray: list[str], unit: float) -> tuple[float, float]:
    """Steps after which a ray meets the inner and the outer hairline; NaN where it does not."""
    inner = outer = np.nan
    bare = bool(ray) and ray[0] == "face"  # whether only face has been seen
    for kind, start, end in _runs(ray):
        if kind == _HAIR and end - start >= _LEAST_HAIR * unit:
            inner, outer = start if bare else inner, end
            bare = False
        elif kind not in ("face", _HAIR) and end - start > _LARGEST_GAP * unit:
            return inner, np.nan if kind == _HAT else outer
    return inner, np.nan if outer == len(ray) else outer


def _runs(ray: list[str]) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each stretch of the same kind."""
    start = 0
    for kind, steps in groupby(ray):
        end = start + sum(1 for _ in steps)
        yield kind, start, end
        start = end
