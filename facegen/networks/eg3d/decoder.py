"""From features of the planes to colour features and raw density."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.stylegan2 import FullyConnectedLayer
from facegen.rendering.volume import Field

_HIDDEN = 64
_STRETCH = 0.001  # colours reach 0 and 1 with finite weights (mip-NeRF, Barron et al. 2021)


class Softplus(nn.Module):
    """`log(1 + exp(x))`. On a CPU from vectorised operations, which PyTorch's own (seven times slower) is not."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return F.softplus(x) if x.is_cuda else _Softplus.apply(x)  # type: ignore[return-value]


class _Softplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.abs().neg_().exp_().log1p_().add_(x.relu())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * torch.sigmoid(x)


class OSGDecoder(nn.Module):
    """One hidden layer (section 4.1 of the paper): features (N, M, C) to colours and raw density of every point.

    decoder_lr_mul scales the learning rate of both layers.
    """

    def __init__(self, n_features: int, decoder_output_dim: int = 32, decoder_lr_mul: float = 1) -> None:
        super().__init__()
        self.net = nn.Sequential(
            FullyConnectedLayer(n_features, _HIDDEN, lr_multiplier=decoder_lr_mul),
            Softplus(),
            FullyConnectedLayer(_HIDDEN, 1 + decoder_output_dim, lr_multiplier=decoder_lr_mul),
        )

    def forward(self, features: Float[Tensor, "batch point channel"]) -> Field:
        """`features` are the mean over the planes. Colours are in (-0.001, 1.001)."""
        out = self.net(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        rgb = torch.sigmoid(out[..., 1:]) * (1 + 2 * _STRETCH) - _STRETCH
        return Field(rgb, out[..., :1])
