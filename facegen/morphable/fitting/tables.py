"""What a model's modes do to each vertex, laid out so that a vertex is one row."""

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.fitting.weights import Weights
from facegen.morphable.model import MorphableModel

_STEP = 0.1  # standard deviations


class Tables:
    """Tables of a model, made when they are first needed; entries of a row are 3 coordinates x modes."""

    def __init__(self, model: MorphableModel) -> None:
        self.model = model

    @cached_property
    def shape(self) -> Float[Tensor, "vertex entry"]:
        """How identity, then expression move vertices."""
        return _rows(torch.cat([self.model.identity, self.model.expression]))

    @cached_property
    def albedo(self) -> Float[Tensor, "vertex entry"]:
        """How albedo modes colour vertices."""
        return _rows(self.model.albedo)

    @cached_property
    def normals(self) -> Float[Tensor, "vertex entry"]:
        """How normals of the mean face turn with its shape, by central differences."""
        modes = torch.cat([self.model.identity, self.model.expression])
        mean = self.model.mean_shape
        ahead, behind = (
            torch.cat([self.model.normals_of((mean + sign * _STEP * mode)[None]) for mode in modes]) for sign in (1, -1)
        )
        return _rows((ahead - behind) / (2 * _STEP))

    def shape_weights(self, weights: Weights) -> Float[Tensor, " mode"]:
        """Penalties of identity and expression coefficients."""
        counts = (self.model.layout.identity, self.model.layout.expression)
        parts = (torch.full([n], w) for n, w in zip(counts, (weights.identity, weights.expression), strict=True))
        return torch.cat(list(parts)).to(self.model.mean_shape)

    def evenness(self, weights: Weights) -> tuple[Float[Tensor, "mode mode"], Float[Tensor, " mode"]]:
        """Matrix and offset of half the penalty on uneven albedo of the skin (Deep3DFaceRecon's reflectance loss)."""
        matrix, offset = self._evenness
        return weights.reflectance * matrix, weights.reflectance * offset

    @cached_property
    def _evenness(self) -> tuple[Tensor, Tensor]:
        skin = self.model.skin[:, None]
        fields = torch.cat([self.model.mean_albedo[None], self.model.albedo])
        centred = ((fields - fields.mean(dim=1, keepdim=True)) * skin).flatten(1)
        products = centred @ centred.mT / skin.sum()
        return products[1:, 1:], products[1:, 0]


def _rows(modes: Float[Tensor, "mode vertex 3"]) -> Float[Tensor, "vertex entry"]:
    return modes.permute(1, 2, 0).flatten(1).contiguous()
