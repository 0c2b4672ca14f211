"""Checkpoints that are whole or absent, kept by policy, and taken before Ctrl-C ends a run."""

import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from facegen.callbacks.clock import due
from facegen.checkpoint import atomic_write, checkpoint_files


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoint files, written beside their place and moved there when complete."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write, flush to the disk, rename."""
        with atomic_write(path) as temporary:
            torch.save(checkpoint, temporary)


class Checkpoints(pl.Callback):
    """`checkpoints/<kimg>.ckpt` every `every_kimg` and at the end; the newest `keep` stay, and every `keep_every_kimg`.

    The first Ctrl-C (or SIGTERM) finishes the step, saves and ends the run; the second ends it at once.
    """

    def __init__(
        self,
        folder: str | Path,
        total_kimg: float,
        every_kimg: float,
        keep: int = 3,
        keep_every_kimg: float | None = None,
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep: got {keep}, expected at least 1")
        self.folder, self.keep = Path(folder), keep
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)
        self.keep_every = None if keep_every_kimg is None else round(keep_every_kimg * 1000)
        self.interrupted = False
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Take over the signals; sweep up what a killed process left half written."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._interrupt)
        if trainer.is_global_zero:
            for leftover in (self.folder / "checkpoints").glob(".*.tmp"):
                leftover.unlink(missing_ok=True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Save when due, at the end, and when somebody asked for the end."""
        seen = pl_module.images_seen
        stop = trainer.strategy.reduce_boolean_decision(self.interrupted, all=False)
        finished = seen >= self.total_images
        if stop or finished or due(seen, pl_module.batch_size, self.every):
            path = self.folder / "checkpoints" / f"{seen / 1000:09.3f}.ckpt"
            trainer.save_checkpoint(path)
            if trainer.is_global_zero:
                self._prune(pl_module.batch_size)
                if stop and not finished:
                    print(f"stopped at {seen / 1000:.3f} kimg; {path} is saved, resume=auto continues", flush=True)
        if stop:
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back."""
        self.on_train_end(trainer, pl_module)

    def _interrupt(self, number: int, frame: Any) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print("finishing this step, then saving (once more to stop at once)", flush=True)

    def _prune(self, batch_size: int) -> None:
        for path in checkpoint_files(self.folder)[: -self.keep]:
            seen = round(float(path.stem) * 1000)
            if self.keep_every is None or not due(seen, batch_size, self.keep_every):
                path.unlink(missing_ok=True)
