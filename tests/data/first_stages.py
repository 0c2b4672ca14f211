"""A first stage in miniature."""

from typing import Any

import torch
from torch import Tensor, nn


class TinyStage(nn.Module):
    """Moments (N, 4, R/4, R/4) of two layers, which mirror nothing."""

    def __init__(self, img_resolution: int = 16, seed: int = 0, scaling_factor: float = 1.0) -> None:
        super().__init__()
        self.init_kwargs: dict[str, Any] = {"img_resolution": img_resolution, "scaling_factor": scaling_factor}
        self.img_resolution, self.calls = img_resolution, 0
        self.register_buffer("scaling_factor", torch.tensor(scaling_factor))
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.SiLU(), nn.Conv2d(8, 4, 3, padding=1))
        for weight in self.layers.parameters():
            weight.data = torch.randn(weight.shape, generator=generator) / 3

    def encode(self, images: Tensor) -> Tensor:
        """As a FirstStage does it."""
        self.calls += 1
        return self.layers(images)
