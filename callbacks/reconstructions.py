"""What a first stage of latent diffusion keeps of pictures: originals, and beside each what comes back."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from facegen.callbacks.samples import SampleGrids, publish
from facegen.data.pictures import save_png, tile, to_uint8

_AT_ONCE = 16


class ReconstructionGrids(SampleGrids):
    """`reals.png` once, `samples/<kimg>.png` every `every_kimg`: the same pictures, beside each its reconstruction."""

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        assert self._reals is not None
        pairs = [beside(part, module) for part in self._reals.images.split(_AT_ONCE)]
        path = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}.png"
        publish(trainer, "samples", save_png(tile(torch.cat(pairs), 2 * self.columns), path), module.images_seen)


def beside(originals: Tensor, module: Any) -> Tensor:
    """Pictures (N, 3, R, R) uint8 and what an autoencoder makes of them, by turns (2N, 3, R, R)."""
    made = module.network_ema(originals.to(module.device) / 127.5 - 1).images
    return torch.stack([originals, to_uint8(made).cpu()], dim=1).flatten(0, 1)
