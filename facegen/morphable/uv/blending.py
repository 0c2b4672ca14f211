"""Joining views and a template into one texture: steps of FFHQ-UV (Bai et al. 2023), section 3.2 and its code."""

from typing import NamedTuple

import numpy as np

from facegen.morphable.uv.colors import SOFTNESS, match_color
from facegen.morphable.uv.masks import FULL_SIZE, Mask, Texture, box_blur, mix, odd, shrink
from facegen.morphable.uv.pyramids import pyramid_blend

_MINOR_WEIGHT = 0.8


class Valid(NamedTuple):
    """Where a view shows the surface well (`major`) and at all (`minor`, which contains it)."""

    major: Mask
    minor: Mask


class SoftMask(NamedTuple):
    """A mask with soft edges, and the two steps to it."""

    minor: Mask
    major: Mask
    final: Mask


class Filled(NamedTuple):
    """A texture, and where it now shows the view."""

    texture: Texture
    mask: Mask


def soften(mask: Mask, valid: Valid, size: int = FULL_SIZE) -> SoftMask:
    """Weights of a view: 0.8 at most where it shows the surface at all, 1 where it does so well.

    1. The mask inside `minor`, blurred widely, times 0.8.
    2. 1 on the mask inside `major`.
    3. Blurred narrowly.

    `size`: the texture's, by which the filters (51 and 31 pixels of 1024) are scaled.
    """
    minor = box_blur(mask * valid.minor, odd(51, size)) * np.float32(_MINOR_WEIGHT)
    surely = mask * valid.major
    major = surely + (1 - surely) * minor
    return SoftMask(minor, major, box_blur(major, odd(31, size)))


def fill(
    template: Texture,
    view: Texture,
    mask: Mask,
    valid: Valid,
    mouth: Mask,
    size: int = FULL_SIZE,
    softness: float | None = SOFTNESS,
) -> Filled:
    """Lay a view over a template that takes the view's colours, its contrast divided by `softness` (None: as it is).

    1. The mask loses the pixels near its border, fewer of them at the mouth.
    2. It is softened, and kept off the border of the view, beyond which there is black.
    3. View and template are mixed by it.
    """
    narrow, wide = (shrink(mask, 2 * (kernel * size // FULL_SIZE) + 1) for kernel in (3, 7))
    inner = narrow * mouth + wide * (1 - mouth)
    weight = soften(inner, valid, size).final
    weight = box_blur(inner * weight, odd(21, size)) * mask
    return Filled(mix(_matched(template, view, mask, softness), view, weight), inner * valid.minor)


def blend(
    template: Texture,
    face: Texture,
    mask: Mask,
    valid: Valid,
    hair: Mask,
    size: int = FULL_SIZE,
    softness: float | None = SOFTNESS,
) -> Texture:
    """Join a face to a template of a whole head; the scalp shows the template in its own colours."""
    weight = soften(mask, valid, size).final
    joined = pyramid_blend(_matched(template, face, mask, softness), face, weight)
    return cover(joined, template, hair, odd(11, size), odd(15, size))


def _matched(template: Texture, face: Texture, mask: Mask, softness: float | None) -> Texture:
    return template if softness is None else match_color(template, face, mask, softness)


def blend_softly(template: Texture, face: Texture, mask: Mask, hair: Mask, size: int | None = None) -> Texture:
    """`blend` for textures that a network drew: one blur of `mask`, filters scaled to `size` (default: its height)."""
    size = len(face) if size is None else size
    joined = pyramid_blend(match_color(template, face, mask), face, box_blur(mask, odd(31, size)))
    return cover(joined, template, hair, odd(15, size), odd(15, size))


def cover(texture: Texture, template: Texture, hair: Mask, inner: int, blur: int) -> Texture:
    """The template on the scalp, `inner` pixels inside its border and with an edge of `blur` pixels."""
    return np.clip(mix(texture, template, box_blur(shrink(hair, inner), blur)), 0, 255)
