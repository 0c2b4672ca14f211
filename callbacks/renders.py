"""What a reconstruction network sees: photographs, and beside each its face as the morphable model draws it."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from facegen.callbacks.clock import due
from facegen.callbacks.samples import publish
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.morphable.views import face_view
from facegen.networks.reconstruction import regress

_AT_ONCE = 16


class RenderGrids(pl.Callback):
    """`reals.png` once, `samples/<kimg>.png` every `every_kimg`: always the same photographs, each left of its render.

    columns, rows: of the grid; half the columns are photographs.
    """

    def __init__(self, folder: str | Path, total_kimg: float, every_kimg: float, columns: int = 8, rows: int = 8):
        self.folder, self.columns, self.rows = Path(folder), max(columns // 2 * 2, 2), rows
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)
        self._photographs = torch.zeros(0, 3, 1, 1, dtype=torch.uint8)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Choose the photographs; draw what the untrained network sees."""
        dataset: Any = trainer.datamodule.dataset  # type: ignore[attr-defined]
        order = np.random.default_rng(pl_module.seed).permutation(dataset.num_unmirrored)
        self._photographs = dataset[np.resize(order, self.columns * self.rows // 2)].images
        if trainer.is_global_zero:
            reals = save_png(tile(self._photographs, self.columns // 2), self.folder / "reals.png")
            publish(trainer, "reals", reals, 0)
            if pl_module.images_seen == 0:
                self._draw(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Draw when due and at the end."""
        seen = pl_module.images_seen
        finished = seen >= self.total_images
        if trainer.is_global_zero and (finished or due(seen, pl_module.batch_size, self.every)):
            self._draw(trainer, pl_module)

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        pairs = [beside(part, module) for part in self._photographs.split(_AT_ONCE)]
        path = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}.png"
        save_png(tile(torch.cat(pairs), self.columns), path)
        publish(trainer, "samples", path, module.images_seen)


def beside(photographs: Tensor, module: Any) -> Tensor:
    """Photographs (N, 3, R, R) uint8 and their renders over them, by turns (2N, 3, R, R)."""
    images = photographs.to(module.device) / 127.5 - 1
    coefficients = regress(module.network_ema, images).cpu()
    view = face_view(module.supervision.model, coefficients, images.shape[-1])
    shown = torch.where(view.seen, view.images, images.cpu())
    return torch.stack([photographs, to_uint8(shown)], dim=1).flatten(0, 1)
