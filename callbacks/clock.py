"""When things happen: a pure function of the images seen, so that a resumed run does them at the same moments."""

from typing import Any

import lightning.pytorch as pl


def due(images_seen: int, batch_size: int, every: int) -> bool:
    """Whether the last batch reached or passed a multiple of `every` images."""
    return images_seen // every > (images_seen - batch_size) // every


class StopAtKimg(pl.Callback):
    """End the run when `total_kimg` thousand images have been seen."""

    def __init__(self, total_kimg: float) -> None:
        if total_kimg <= 0:
            raise ValueError(f"total_kimg: got {total_kimg}, expected a positive number")
        self.total_images = round(total_kimg * 1000)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """A finished run that is resumed has nothing to do."""
        trainer.should_stop = self.finished(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Ask the trainer to stop after this batch."""
        if self.finished(pl_module):
            trainer.should_stop = True

    def finished(self, module: Any) -> bool:
        """Whether the last batch was the last one."""
        return module.images_seen >= self.total_images
