"""A feature extractor: what happens to the pixels, the network, and the protocol that names both."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn


class Extractor(nn.Module):
    """uint8 images (N, 3, H, W) of any size to float32 features (N, num_features), without gradients.

    prepare: uint8 images to what the network takes (resizing and normalisation: part of the definition).
    network: a module; its output is flattened to (N, num_features).
    protocol: plain JSON values; two extractors with equal protocols give the same features (up to rounding).
    """

    def __init__(
        self,
        name: str,
        num_features: int,
        prepare: Callable[[UInt8[Tensor, "batch 3 height width"]], Tensor],
        network: nn.Module,
        protocol: dict[str, Any],
    ) -> None:
        super().__init__()
        self.name, self.num_features, self.protocol = name, num_features, {"extractor": name, **protocol}
        self.prepare, self.network = prepare, network
        self.train(False).requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        """Features of images; ValueError for anything but uint8 (N, 3, H, W)."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(
                f"{self.name}: got {images.dtype} of shape {tuple(images.shape)}, expected uint8 images (N, 3, H, W)"
            )
        if len(images) == 0:
            return torch.zeros(0, self.num_features, device=images.device)
        return self.network(self.prepare(images)).flatten(1).float()

    def train(self, mode: bool = True) -> "Extractor":
        """Stays in evaluation mode, also inside a module that is set to training."""
        return super().train(False)
