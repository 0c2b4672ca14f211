"""Bias, activation, gain and clamp in one step (StyleGAN2, Karras et al. 2020)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.ops.differentiable import leaky_relu


class Activation(NamedTuple):
    """An activation with the gain that keeps unit variance and its default slope."""

    function: Callable[[Tensor, float, bool], Tensor]  # (x, alpha, inplace)
    gain: float = 1.0
    alpha: float = 0.0
    homogeneous: bool = False  # f(k x) = k f(x) for k > 0: a gain may be moved before it


_SQRT2 = 2.0**0.5

ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x, _, __: x, homogeneous=True),
    "relu": Activation(lambda x, _, inplace: F.relu(x, inplace), gain=_SQRT2, homogeneous=True),
    "lrelu": Activation(leaky_relu, gain=_SQRT2, alpha=0.2, homogeneous=True),
    "tanh": Activation(lambda x, _, __: torch.tanh(x)),
    "sigmoid": Activation(lambda x, _, __: torch.sigmoid(x)),
    "elu": Activation(lambda x, _, __: F.elu(x)),
    "selu": Activation(lambda x, _, __: F.selu(x)),
    "softplus": Activation(lambda x, _, __: F.softplus(x)),
    "swish": Activation(lambda x, _, __: torch.sigmoid(x) * x, gain=_SQRT2),
}


def activation(name: str) -> Activation:
    """Look up an activation by its published name."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation: got {name!r}, expected one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
    inplace: bool = False,
) -> Tensor:
    """`clamp(gain * act(x + b))`, where `b` runs along axis `dim` of `x`.

    `alpha` and `gain` default to the activation's own; `clamp` limits the result to [-clamp, clamp].
    `inplace` may overwrite `x`: for a fresh result of a linear operation, which nothing else reads.
    """
    chosen = activation(act)
    if b is not None:
        if b.ndim != 1 or b.shape[0] != x.shape[dim]:
            raise ValueError(f"bias_act: got a bias of shape {tuple(b.shape)}, expected ({x.shape[dim]},)")
        b = b.reshape([-1 if axis == dim else 1 for axis in range(x.ndim)])
        x = x.add_(b) if inplace else x + b
    x = chosen.function(x, chosen.alpha if alpha is None else alpha, inplace)
    gain = chosen.gain if gain is None else gain
    if gain != 1:
        x = x * gain
    return x if clamp is None or clamp < 0 else x.clamp(-clamp, clamp)
