"""From views of a face to a whole texture: FFHQ-UV (Bai et al. 2023), step 4 of making its data."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facegen.morphable.uv.assets import UVAssets
from facegen.morphable.uv.blending import Filled, Valid, blend, fill
from facegen.morphable.uv.colors import luminance
from facegen.morphable.uv.masks import Mask, Texture, grow, threshold
from facegen.morphable.uv.poisson import poisson_fill
from facegen.morphable.uv.views import Remapped

_MARGIN = 2  # pixels of a box that stay as they are


class Completed(NamedTuple):
    """A texture without holes, and where the views, and not the template, decide about it."""

    texture: Texture
    mask: Mask


def complete(views: Sequence[tuple[Remapped, Valid]], assets: UVAssets) -> Completed:
    """Join views and template, the most trusted view last; any number of views, FFHQ-UV's are left, right, front.

    1. Each view is laid over the template, or over what the views before made of it.
    2. Eyes, nose and mouth take the template's structure where no view shows them reliably.
    3. Outside of the views it blends into the template of the whole head.
    """
    if not views:
        raise ValueError("unwrapping: got no views, expected at least one")
    filled = Filled(assets.template, np.zeros_like(assets.mouth))
    for view, valid in views:
        over = fill(filled.texture, view.texture, view.mask, valid, assets.mouth, assets.size, assets.softness)
        filled = Filled(over.texture, np.maximum(filled.mask, over.mask))
    texture = _solve(filled.texture, unreliable(filled, assets), assets)
    mask = threshold(filled.mask)
    for first, end, left, right in assets.boxes:
        mask[first:end, left:right] = 1
    joined = blend(assets.template, texture, mask, assets.whole, assets.hair, assets.size, assets.softness)
    return Completed(joined, filled.mask)


def unreliable(filled: Filled, assets: UVAssets) -> Mask:
    """Pixels of eyes, nose and mouth that show something else: not seen, or the dark of a nostril.

    The base of the nose is seen from two sides in views that disagree, so that nostrils appear twice.
    """
    hidden = (1 - threshold(filled.mask)) * assets.center
    bright = luminance(filled.texture)
    dark = grow(threshold(bright.mean() - bright, 0.0), 5)
    return threshold(hidden + dark * assets.nasal_base + assets.nostril)


def _solve(texture: Texture, mask: Mask, assets: UVAssets) -> Texture:
    solved = texture.copy()
    for first, end, left, right in assets.boxes:
        box = (slice(first, end), slice(left, right))
        inner = np.zeros_like(mask[box])
        kept = (slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
        inner[kept] = mask[box][kept]
        solved[box] = poisson_fill(solved[box], assets.template[box], inner)
    return solved
