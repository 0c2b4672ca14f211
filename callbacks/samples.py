"""Fixed-seed sample grids, and the real images to compare them with."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image

from facegen.callbacks.clock import due
from facegen.data.pictures import save_png, tile, to_uint8


class SampleGrids(pl.Callback):
    """`reals.png` once, `samples/<kimg>.png` of the averaged generator every `every_kimg`: always the same seeds."""

    def __init__(self, folder: str | Path, total_kimg: float, every_kimg: float, columns: int = 8, rows: int = 8):
        self.folder, self.columns, self.rows = Path(folder), columns, rows
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)
        self._labels = torch.zeros([columns * rows, 0])

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Choose the real images, whose labels the samples share; draw the untrained generator."""
        dataset: Any = trainer.datamodule.dataset  # type: ignore[attr-defined]
        order = np.random.default_rng(pl_module.seed).permutation(dataset.num_unmirrored)
        batch = dataset[np.resize(order, self.columns * self.rows)]
        self._labels = batch.cameras
        if trainer.is_global_zero:
            self._publish(trainer, "reals", save_png(tile(batch.images, self.columns), self.folder / "reals.png"), 0)
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
        generator = module.generator_ema
        count = self.columns * self.rows
        z = torch.randn([count, generator.z_dim], generator=torch.Generator().manual_seed(module.seed))
        parts = [
            to_uint8(generator(a.to(module.device), c.to(module.device), noise_mode="const")).cpu()
            for a, c in zip(z.split(16), self._labels.split(16), strict=True)
        ]
        path = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}.png"
        self._publish(trainer, "samples", save_png(tile(torch.cat(parts), self.columns), path), module.images_seen)

    @staticmethod
    def _publish(trainer: pl.Trainer, name: str, path: Path, step: int) -> None:
        for logger in trainer.loggers:
            experiment: Any = getattr(logger, "experiment", None)
            if hasattr(logger, "log_image"):
                logger.log_image(key=name, images=[str(path)], step=step)  # type: ignore[attr-defined]
            elif hasattr(experiment, "add_image"):
                experiment.add_image(name, np.asarray(Image.open(path)), step, dataformats="HWC")
