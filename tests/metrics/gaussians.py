"""Covariances whose Fréchet distances are known."""

import torch
from torch import Tensor


def rotation(d: int, seed: int = 0) -> Tensor:
    """An orthogonal matrix (d, d), float64."""
    return torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))[0]


def with_spectrum(values: Tensor, seed: int = 0) -> Tensor:
    """A covariance (d, d) with these eigenvalues, along the same axes for the same seed."""
    axes = rotation(len(values), seed)
    covariance = (axes * values.double()) @ axes.T
    return (covariance + covariance.T) / 2


def features(count: int, d: int, decay: float = 0.0, seed: int = 0) -> Tensor:
    """Features (count, d), float32, positive on average, whose variance falls as a power of the direction."""
    draws = torch.Generator().manual_seed(seed)
    scales = torch.arange(1, d + 1) ** (-decay / 2)
    return (torch.randn(count, d, generator=draws) * scales) @ rotation(d, 99).float() + 0.4
