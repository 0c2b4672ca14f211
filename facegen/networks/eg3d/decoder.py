"""From features of the planes to colour features and raw density."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.stylegan2 import FullyConnectedLayer
from facegen.rendering.volume import Field

_HIDDEN = 64
_STRETCH = 0.001  # colours reach 0 and 1 with finite weights (mip-NeRF, Barron et al. 2021)
_ROWS = 4096  # points at a time: their hidden activations stay in a core's cache


class OSGDecoder(nn.Module):
    """One hidden layer (section 4.1 of the paper): features (N, M, C) to colours and raw density of every point.

    decoder_lr_mul scales the learning rate of both layers.
    """

    def __init__(self, n_features: int, decoder_output_dim: int = 32, decoder_lr_mul: float = 1) -> None:
        super().__init__()
        self.net = nn.Sequential(
            FullyConnectedLayer(n_features, _HIDDEN, lr_multiplier=decoder_lr_mul),
            nn.Softplus(),
            FullyConnectedLayer(_HIDDEN, 1 + decoder_output_dim, lr_multiplier=decoder_lr_mul),
        )

    def forward(self, features: Float[Tensor, "batch point channel"]) -> Field:
        """`features` are the mean over the planes. Colours are in (-0.001, 1.001)."""
        rows = features.flatten(0, 1)
        if features.device.type == "cpu" and features.dtype == torch.float32:
            first, second = self.net[0], self.net[2]
            rgb, sigma = _Decode.apply(rows, *first.scaled(), *second.scaled())  # type: ignore[misc]
        else:
            out = self.net(rows)
            rgb, sigma = torch.sigmoid(out[:, 1:]) * (1 + 2 * _STRETCH) - _STRETCH, out[:, :1]
        return Field(*(value.unflatten(0, features.shape[:2]) for value in (rgb, sigma)))


class _Decode(torch.autograd.Function):
    """The decoder on a CPU, a cache's worth of points at a time; the way back computes hidden activations again.

    Saves 2/3 of the memory and PyTorch's softplus, which does not vectorise. Differentiable once.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> tuple[Tensor, Tensor]:
        rgb, sigma = features.new_empty([len(features), len(w2) - 1]), features.new_empty([len(features), 1])
        for start in range(0, len(features), _ROWS):
            part = slice(start, start + _ROWS)
            out = torch.addmm(b2, _softplus(torch.addmm(b1, features[part], w1.t())), w2.t())
            torch.sigmoid(out[:, 1:], out=rgb[part])
            sigma[part] = out[:, :1]
        ctx.save_for_backward(features, w1, b1, w2, rgb)
        return rgb * (1 + 2 * _STRETCH) - _STRETCH, sigma

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        if any(gradient.requires_grad for gradient in gradients):
            raise RuntimeError("the decoder on a CPU is differentiable once; for second derivatives call its `net`")
        features, w1, b1, w2, shares = ctx.saved_tensors
        grad_features = torch.empty_like(features)
        grad_w1, grad_b1, grad_w2 = torch.zeros_like(w1), torch.zeros_like(b1), torch.zeros_like(w2)
        grad_b2 = w2.new_zeros([len(w2)])
        grad_rgb, grad_sigma = gradients
        for start in range(0, len(features), _ROWS):
            part = slice(start, start + _ROWS)
            share = shares[part]
            slope = (share * (1 + 2 * _STRETCH)).addcmul_(share, share, value=-(1 + 2 * _STRETCH))
            grad_out = torch.cat([grad_sigma[part], grad_rgb[part] * slope], dim=1)
            hidden = torch.addmm(b1, features[part], w1.t())
            grad_hidden = (grad_out @ w2).mul_(torch.sigmoid(hidden))
            grad_w2.addmm_(grad_out.t(), _softplus(hidden))
            grad_b2 += grad_out.sum(0)
            grad_w1.addmm_(grad_hidden.t(), features[part])
            grad_b1 += grad_hidden.sum(0)
            torch.mm(grad_hidden, w1, out=grad_features[part])
        return grad_features, grad_w1, grad_b1, grad_w2, grad_b2


def _softplus(x: Tensor) -> Tensor:
    """`log(1 + exp(x))` to 1e-7 absolute, from operations that vectorise (PyTorch's own and log1p do not)."""
    return x.abs().neg_().exp_().add_(1).log_().add_(x.relu())
