"""Taking the light of a photograph out of a texture, and what hangs over the face: hair."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from facegen.morphable.uv.colors import luminance
from facegen.morphable.uv.masks import FULL_SIZE, Mask, Texture, odd, shrink, smooth, threshold
from facegen.morphable.uv.views import Remapped

_LEAST_SHADING = 0.15  # of the mean: darker places would become noise
_LEAST_LIGHT = 1e-3  # a black picture has no brightness to keep
_HAIR, _SMOOTH = -0.3, 4.0  # change of the logarithm of brightness; pixels of 1024
_EVEN = 255 / 100  # added to brightness before its logarithm
_LOCAL, _BORDER = 50.0, 25  # pixels of 1024
_FAR = 0.02  # share of the view around below which the whole view counts


class Unlit(NamedTuple):
    """A view without its light, and the `exposure` that was kept: the albedo is `texture` / exposure."""

    view: Remapped
    exposure: float


def divide_light(lit: Remapped, shading: Float[np.ndarray, "size size 3"], where: Mask) -> Unlit:
    """Each pixel divided by the shading there, channel by channel, and as bright as it was on average over `where`.

    A picture does not tell a dark face in much light from a bright one in little, so that their product is kept.
    """
    inside = (lit.mask * where) > 0.5
    if not inside.any():
        return Unlit(lit, 1.0)
    least = max(_LEAST_SHADING * float(luminance(shading[inside]).mean()), _LEAST_LIGHT)
    albedo = lit.texture / np.maximum(shading, least)
    exposure = float(luminance(lit.texture[inside]).mean() / max(luminance(albedo[inside]).mean(), _LEAST_LIGHT))
    return Unlit(lit._replace(texture=np.clip(albedo * exposure, 0, 255) * lit.mask[..., None]), exposure)


def agreeing(template: Texture, view: Remapped, minor: Mask) -> Texture:
    """The template, shifted to the colours that the view has around: the mean of its differences, near ones first.

    So the dark of an eye socket that the light did not leave dark does not show at the border of what is filled in.
    `minor`: where the view shows the surface; its border, where the background begins, does not count.
    """
    size = len(template)
    sure = shrink(view.mask * minor, odd(_BORDER, size))
    if not (inside := sure > 0.5).any():
        return template
    difference = (view.texture - template) * sure[..., None]
    everywhere = difference[inside].mean(axis=0)
    deviation = _LOCAL * size / FULL_SIZE
    near = smooth(np.concatenate([difference, sure[..., None]], axis=-1), deviation)
    shift = (near[..., :3] + _FAR * everywhere) / (near[..., 3:] + _FAR)
    return np.clip(template + shift, 0, 255).astype(np.float32)


def hair_over(view: Remapped, expected: Texture, scalp: Mask) -> Mask:
    """1 on what is much darker than the fitted face's own colours and hangs together with the scalp.

    `scalp`: where hair grows; a beard, brows and the dark of nostrils do not reach there.
    """
    size = len(scalp)
    brightness, own = (np.log(luminance(texture).clip(0) + _EVEN) for texture in (view.texture, expected))
    inside = view.mask > 0.5
    if not inside.any():
        return np.zeros_like(scalp)
    change = np.where(inside, brightness - own, 0)
    dark = smooth((change - np.median(change[inside])).astype(np.float32), _SMOOTH * size / FULL_SIZE) < _HAIR
    _, pieces = cv2.connectedComponents(((dark & inside) | (scalp > 0.5)).astype(np.uint8))
    rooted = np.unique(pieces[scalp > 0.5])
    return threshold(np.isin(pieces, rooted[rooted > 0]))
