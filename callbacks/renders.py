"""What a reconstruction network sees: photographs, and beside each its face as the morphable model draws it."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from facegen.callbacks.samples import SampleGrids, publish
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.morphable.views import face_view
from facegen.networks.reconstruction import regress

_AT_ONCE = 16


class RenderGrids(SampleGrids):
    """`reals.png` once, `samples/<kimg>.png` every `every_kimg`: the same pictures, beside each what is seen in it."""

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        assert self._reals is not None
        pairs = [beside(part, module) for part in self._reals.images.split(_AT_ONCE)]
        path = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}.png"
        publish(trainer, "samples", save_png(tile(torch.cat(pairs), 2 * self.columns), path), module.images_seen)


def beside(photographs: Tensor, module: Any) -> Tensor:
    """Photographs (N, 3, R, R) uint8 and their renders laid on them, by turns (2N, 3, R, R)."""
    images = photographs.to(module.device) / 127.5 - 1
    coefficients = regress(module.network_ema, images).cpu()
    view = face_view(module.supervision.model, coefficients, images.shape[-1])
    shown = torch.where(view.seen, view.images, images.cpu())
    return torch.stack([photographs, to_uint8(shown)], dim=1).flatten(0, 1)
