"""Blending textures that a network draws into a template, so that gradients reach the network."""

from typing import NamedTuple, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.uv.assets import UVAssets
from facegen.morphable.uv.blending import blend_softly
from facegen.morphable.uv.colors import match_color
from facegen.morphable.uv.masks import Mask, Texture, box_blur, shrink

SIDE, ROWS, COLUMNS = 1664, slice(187, 1211), slice(317, 1341)  # where FFHQ-UV's newer decoder paints
_BLUR, _HAIR_BLUR = 49, 23

Textures = Float[Tensor, "batch 3 height width"]  # [0, 1]


def paint_over(template: Texture, faces: Textures, blend: Mask, hair: Mask) -> Textures:
    """Faces [0, 1] over a template (0 to 255) that takes their colours; the scalp shows the template itself.

    Colours are matched one face at a time; gradients flow through the faces where they are seen, not through the match.
    """
    inside, scalp = box_blur(blend, _BLUR), box_blur(shrink(hair, _HAIR_BLUR), _HAIR_BLUR)
    pictures = (faces.detach().permute(0, 2, 3, 1).float().cpu().numpy() * 255).astype(np.float32)
    matched = np.stack([match_color(template, picture, blend) for picture in pictures])
    below, own = (_as_textures(array, faces) for array in (matched, template[None]))
    weight, cover = (torch.from_numpy(mask).to(faces) for mask in (inside, scalp))
    return (faces * weight + below * (1 - weight)) * (1 - cover) + own * cover


def _as_textures(pictures: Float[np.ndarray, "batch height width 3"], like: Tensor) -> Textures:
    return torch.from_numpy(pictures / 255).permute(0, 3, 1, 2).to(like)


class Canvas(NamedTuple):
    """A template that a decoder's square is painted on: FFHQ-UV's newer decoder draws only the face.

    `template` and the masks have the size of the canvas, `assets` that of the result.
    """

    template: Texture
    blend: Mask
    hair: Mask
    rows: slice
    columns: slice
    assets: UVAssets

    @classmethod
    def of(cls, assets: UVAssets) -> Self:
        """FFHQ-UV's: 1664 pixels, of which 1024 are painted, made the size of the assets."""
        template, blend, hair = (
            cv2.resize(array, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            for array in (assets.template, assets.whole.minor, assets.hair)
        )
        return cls(template, blend, hair, ROWS, COLUMNS, assets)

    def paint(self, faces: Textures) -> Textures:
        """Whole textures. Raises ValueError for squares of another size."""
        expected = (self.rows.stop - self.rows.start, self.columns.stop - self.columns.start)
        if tuple(faces.shape[2:]) != expected:
            got = f"{faces.shape[2]} x {faces.shape[3]}"
            raise ValueError(f"texture decoder: draws {got}, the canvas expects {expected[0]} x {expected[1]}")
        whole = _as_textures(self.template[None], faces).repeat(len(faces), 1, 1, 1)
        whole[:, :, self.rows, self.columns] = faces
        painted = paint_over(self.template, whole, self.blend, self.hair)
        return F.interpolate(painted, (self.assets.size, self.assets.size), mode="bilinear", align_corners=False)

    def finish(self, textures: Textures) -> Textures:
        """Painted textures, clipped, blended once more into the template, where no view of a face shows it well."""
        assets, pictures = self.assets, textures.clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy() * 255
        blended = [blend_softly(assets.template, one, assets.whole.major, assets.hair) for one in pictures]
        return _as_textures(np.stack(blended), textures)
