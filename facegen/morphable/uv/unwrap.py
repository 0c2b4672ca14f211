"""Textures of fitted faces: as photographed, and with the light divided out."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.geometry.perspective import Perspective
from facegen.morphable.model import MorphableModel
from facegen.morphable.uv.assets import VIEWS, UVAssets
from facegen.morphable.uv.complete import Completed, complete
from facegen.morphable.uv.figures import asymmetry, brightness_symmetry_error
from facegen.morphable.uv.light import agreeing, divide_light, hair_over
from facegen.morphable.uv.masks import Texture, around
from facegen.morphable.uv.own_assets import own_assets, view_name
from facegen.morphable.uv.photographs import Photograph, view_of
from facegen.morphable.uv.views import Remapped, remap

_HAIR_EDGE = 8 / 1024  # of the texture's side: what is left out around hair

Images = Float[Tensor, "batch 3 side side"] | UInt8[Tensor, "batch 3 side side"]


class UVResult(NamedTuple):
    """N textures, or one of all views together. A face without a fit (NaN) has black ones, and NaN figures."""

    texture: Float[Tensor, "batch 3 size size"]  # light divided out, as bright as photographed; [-1, 1]
    photographed: Float[Tensor, "batch 3 size size"]  # with the photograph's light; [-1, 1]
    mask: Float[Tensor, "batch 1 size size"]  # 1 where photographs were looked up, 0 where it is completed
    evenness: Float[Tensor, " batch"]  # BS error of `texture`, 0 to 255: 0 is evenly lit
    evenness_photographed: Float[Tensor, " batch"]
    symmetry: Float[Tensor, " batch"]  # mean difference of `texture` to its mirror image inside the mask, 0 to 255
    exposure: Float[Tensor, " batch"]  # `texture` / exposure is the albedo that the fitted light belongs to


class _Looked(NamedTuple):
    """What one photograph gives to a texture."""

    view: str
    lit: Remapped
    even: Remapped  # without its light
    exposure: float
    own: Texture  # the fitted face's albedo, as bright as `even`


class _Textures(NamedTuple):
    even: Completed
    lit: Completed
    exposure: float


@torch.no_grad()
def unwrap(
    model: MorphableModel,
    coefficients: Float[Tensor, "batch coefficient"],
    images: Images,
    perspective: Perspective | None = None,
    size: int = 1024,
    assets: UVAssets | None = None,
    *,
    masks: Float[Tensor, "batch 1 side side"] | None = None,
    together: bool = False,
) -> UVResult:
    """Textures of faces with fitted `coefficients` in their square pictures ([-1, 1] or uint8).

    The light: each pixel of the texture is divided by the shading of the fitted spherical harmonics there, channel by
    channel, and then completed; what they do not describe, highlights and cast shadows, stays. `perspective`: of the
    fit, by default the model's. `assets`: FFHQ-UV's, or `own_assets` (made here where None is given), brought to
    `size`. `masks`: where pictures show the face and nothing in front of it, 0 to 1; eyes and open lips, which the fit
    knows, need not be cut out. Without masks, dark pieces that hang together with the scalp are taken for hair.
    `together`: all pictures show one person and give one texture.
    Raises ValueError for pictures or masks that do not belong to the coefficients.
    """
    _check(model, coefficients, images, masks)
    chosen = own_assets(model, size) if assets is None else _fitting(assets, model).at(size)
    camera = model.perspective if perspective is None else perspective
    pictures = images.float() if images.dtype == torch.uint8 else (images.float() + 1) * 127.5
    looked = []
    for index in range(len(coefficients)):
        mask = None if masks is None else masks[index, 0].float()
        known = bool(coefficients[index].isfinite().all())
        given = (coefficients[index : index + 1], pictures[index], mask, camera)
        looked.append([_look(model, chosen, *given)] if known else [])
    groups = [[one for group in looked for one in group]] if together else looked
    return _stack([_join(group, chosen) for group in groups], size)


def _look(
    model: MorphableModel,
    assets: UVAssets,
    coefficients: Float[Tensor, "1 coefficient"],
    picture: Float[Tensor, "3 side side"],
    mask: Float[Tensor, "side side"] | None,
    perspective: Perspective,
) -> _Looked:
    face = model.with_perspective(perspective)(coefficients)
    image = np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())
    region = np.ones(image.shape[:2], np.float32) if mask is None else mask.cpu().numpy()
    lit = remap(view_of(model, Photograph(image, face, region), perspective), assets.lookup)
    shading = assets.lookup(face.shading[0].cpu().numpy())
    albedo = assets.lookup.extended(face.albedo[0].cpu().numpy()) * 255
    view = view_name(model.split(coefficients).angle[0])
    if mask is None:
        even = divide_light(lit, shading, lit.mask).view
        hair = around(hair_over(even, albedo, assets.hair), _HAIR_EDGE * assets.size)
        lit = lit._replace(texture=lit.texture * (1 - hair)[..., None], mask=lit.mask * (1 - hair))
    unlit = divide_light(lit, shading, assets.valid[view].minor)
    return _Looked(view, lit, unlit.view, unlit.exposure, np.clip(albedo * unlit.exposure, 0, 255))


def _join(group: list[_Looked], assets: UVAssets) -> _Textures | None:
    """The textures of the views of one face, the most frontal view last; None without any."""
    if not group:
        return None
    group = sorted(group, key=lambda one: VIEWS.index(one.view))
    even, lit = (
        _complete([(one.view, view) for one, view in zip(group, views, strict=True)], group[-1].own, assets)
        for views in ([one.even for one in group], [one.lit for one in group])
    )
    return _Textures(even, lit, group[-1].exposure)


def _complete(views: list[tuple[str, Remapped]], own: Texture, assets: UVAssets) -> Completed:
    if assets.softness is None:
        name, view = views[-1]
        assets = assets._replace(template=agreeing(own, view, assets.valid[name].minor))
    return complete([(view, assets.valid[name]) for name, view in views], assets)


def _stack(joined: list[_Textures | None], size: int) -> UVResult:
    nothing = Completed(np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32))
    absent = _Textures(nothing, nothing, float("nan"))
    found = [one or absent for one in joined]
    lost = torch.tensor([one is None for one in joined])
    errors = torch.tensor([[brightness_symmetry_error(part.texture) for part in one[:2]] for one in found])
    evenness, evenness_photographed = errors.masked_fill(lost[:, None], torch.nan).unbind(-1)
    return UVResult(
        _signed([one.even.texture for one in found]),
        _signed([one.lit.texture for one in found]),
        torch.from_numpy(np.stack([one.even.mask for one in found]))[:, None].float(),
        evenness,
        evenness_photographed,
        torch.tensor([asymmetry(*one.even) for one in found]),
        torch.tensor([one.exposure for one in found]),
    )


def _signed(textures: list[Texture]) -> Float[Tensor, "batch 3 size size"]:
    return torch.from_numpy(np.stack(textures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _fitting(assets: UVAssets, model: MorphableModel) -> UVAssets:
    last, count = int(assets.lookup.vertices.max()), len(model.mean_shape)
    if last >= count:
        raise ValueError(f"unwrap: the assets name vertex {last}, the model has {count}; they are of another mesh")
    return assets


def _check(model: MorphableModel, coefficients: Tensor, images: Tensor, masks: Tensor | None) -> None:
    model.layout.split(coefficients)
    side = images.shape[-1]
    if tuple(images.shape) != (len(coefficients), 3, side, side):
        expected = f"({len(coefficients)}, 3, S, S), one square picture for each face"
        raise ValueError(f"unwrap: got images of shape {tuple(images.shape)}, expected {expected}")
    if masks is not None and tuple(masks.shape) != (len(images), 1, side, side):
        raise ValueError(
            f"unwrap: got masks of shape {tuple(masks.shape)}, expected ({len(images)}, 1, {side}, {side})"
        )
    if not len(coefficients):
        raise ValueError("unwrap: got no faces, expected at least one")
