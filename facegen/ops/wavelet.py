"""Twofold up- and downsampling with long filters, for images with few channels.

`upfirdn2d` is the definition; a depthwise convolution with a dozen taps and three channels keeps a processor idle most
of the time, so here blocks of samples are multiplied by a banded matrix instead. Each direction is the transpose of
the other, which makes both differentiable any number of times.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 16  # samples of the small image per matrix product: the waste of the band against the size of the product


def _banded(taps: Tensor) -> Tensor:
    """(2 * block + taps - 2, block) matrix whose column k holds the taps from row 2k on."""
    rows, columns = 2 * _BLOCK + len(taps) - 2, _BLOCK
    index = torch.arange(rows, device=taps.device)[:, None] - 2 * torch.arange(columns, device=taps.device)
    inside = (index >= 0) & (index < len(taps))
    return torch.where(inside, taps[index.clamp(0, len(taps) - 1)], 0)


def _down_rows(x: Tensor, taps: Tensor) -> Tensor:
    """y[k] = sum_n taps[n - 2k] x[n] along the last axis, where the filter lies inside: 2L + taps - 2 to L samples."""
    length = (x.shape[-1] - len(taps)) // 2 + 1
    blocks = -(-length // _BLOCK)
    x = F.pad(x, [0, 2 * (blocks * _BLOCK - length)])
    windows = x.unfold(-1, 2 * _BLOCK + len(taps) - 2, 2 * _BLOCK)
    return (windows @ _banded(taps)).flatten(-2)[..., :length]


def _up_rows(x: Tensor, taps: Tensor) -> Tensor:
    """y[n] = sum_k taps[n - 2k] x[k] along the last axis, wherever filter and samples meet: L to 2L + taps - 2."""
    reach = len(taps) // 2 - 1  # samples before a block that still matter in it
    length = x.shape[-1]
    blocks = -(-(length + reach) // _BLOCK)
    windows = F.pad(x, [reach, blocks * _BLOCK - length]).unfold(-1, _BLOCK + reach, _BLOCK)
    # The rows of the transposed band from which one block of 2 * block results is complete.
    matrix = _up_matrix(taps, reach)
    return (windows @ matrix).flatten(-2)[..., : 2 * (length + reach)]


def _up_matrix(taps: Tensor, reach: int) -> Tensor:
    """(block + reach, 2 * block): row j is the filter placed at result 2 (j - reach)."""
    rows = 2 * (torch.arange(_BLOCK + reach, device=taps.device) - reach)
    index = torch.arange(2 * _BLOCK, device=taps.device) - rows[:, None]
    inside = (index >= 0) & (index < len(taps))
    return torch.where(inside, taps[index.clamp(0, len(taps) - 1)], 0)


class _Up(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor) -> Tensor:
        ctx.save_for_backward(taps)
        for _ in range(2):
            x = _up_rows(x, taps).transpose(-1, -2)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return _Down.apply(grads[0], ctx.saved_tensors[0]), None


class _Down(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor) -> Tensor:
        ctx.save_for_backward(taps)
        for _ in range(2):
            x = _down_rows(x, taps).transpose(-1, -2)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return _Up.apply(grads[0], ctx.saved_tensors[0]), None
