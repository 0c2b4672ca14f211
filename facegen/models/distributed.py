"""Gradients and statistics across processes: one explicit average per phase instead of a wrapped module.

A GAN step runs several backward passes over two networks, some through second derivatives, which the hooks of
DistributedDataParallel do not follow. Averaging the finished gradients once per phase is simpler and exact.
"""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor


class AveragedGradients(DDPStrategy):
    """Start and connect processes as DDP does, but leave the module unwrapped: it averages its own gradients."""

    def configure_ddp(self) -> None:
        module = self.lightning_module
        assert module is not None
        for tensor in [*module.parameters(), *module.buffers()]:
            dist.broadcast(tensor.data, src=0)


def world() -> tuple[int, int]:
    """(rank, number of processes)."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x / dist.get_world_size()

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient / dist.get_world_size()


def mean_over_processes(x: Tensor) -> Tensor:
    """Mean of a tensor over all processes; gradients flow back to all of them."""
    return x if world()[1] == 1 else _Mean.apply(x)  # type: ignore[return-value]


def sum_over_processes(x: Tensor) -> Tensor:
    """Sum of a tensor over all processes, without gradients."""
    if world()[1] == 1:
        return x
    x = x.clone()
    dist.all_reduce(x)
    return x


def average_gradients(gradients: Iterable[Tensor]) -> None:
    """Replace every gradient by its mean over all processes, in one exchange."""
    if world()[1] == 1:
        return
    gradients = list(gradients)
    flat = mean_over_processes(torch.cat([gradient.flatten() for gradient in gradients]))
    offset = 0
    for gradient in gradients:
        gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
        offset += gradient.numel()
