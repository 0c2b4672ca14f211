"""The tick line, metrics.jsonl, log.txt and the progress bar."""

import resource
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from tqdm import tqdm

from facegen.callbacks.clock import due
from facegen.callbacks.reports import add_row, keep_rows, log, say
from facegen.reports.durations import duration


class Ticks(pl.Callback):
    """Every `tick_kimg` thousand images: one line on the screen and in log.txt, one row in metrics.jsonl and loggers.

    Figures are means over the tick. On a terminal a progress bar shows the time left.
    """

    def __init__(self, folder: str | Path, total_kimg: float, tick_kimg: float = 4) -> None:
        self.folder, self.total_kimg = Path(folder), total_kimg
        self.every, self.total_images = max(round(tick_kimg * 1000), 1), round(total_kimg * 1000)
        self.seconds = 0.0  # of training, over all sessions of the run
        self._mark = self._tick_start = 0.0
        self._tick_images = 0
        self._bar: Any = None

    def state_dict(self) -> dict[str, Any]:
        """Training time so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue counting the time."""
        self.seconds = state_dict["seconds"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Open the bar and forget rows of the future."""
        self._mark = time.perf_counter()
        self._tick_start, self._tick_images = self.seconds, pl_module.images_seen
        if trainer.is_global_zero:
            keep_rows(self.folder / "metrics.jsonl", pl_module.images_seen)
            self._bar = tqdm(
                total=self.total_kimg,
                initial=pl_module.images_seen / 1000,
                unit="kimg",
                desc=self.folder.name,
                disable=not sys.stderr.isatty(),
                bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.2f}/{total:g} kimg [{elapsed}<{remaining}]",
            )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Advance the bar; report when a tick is complete."""
        now = time.perf_counter()
        self.seconds, self._mark = self.seconds + now - self._mark, now
        if self._bar is not None:
            self._bar.update(pl_module.batch_size / 1000)
        seen = pl_module.images_seen
        if due(seen, pl_module.batch_size, self.every) or seen >= self.total_images:
            means = pl_module.statistics.means()
            pl_module.statistics.clear()
            if trainer.is_global_zero:
                self._report(trainer, self._row(pl_module, means))
            self._tick_start, self._tick_images = self.seconds, seen

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Close the bar, so that the message has its own line."""
        self.on_train_end(trainer, pl_module)

    def _row(self, module: Any, means: dict[str, float]) -> dict[str, Any]:
        kimg = (module.images_seen - self._tick_images) / 1000
        seconds = self.seconds - self._tick_start
        on_gpu, augment = module.device.type == "cuda", getattr(module, "augment", None)
        return {
            "tick": module.images_seen // self.every,
            "kimg": module.images_seen / 1000,
            "images_seen": module.images_seen,
            "time": round(self.seconds, 1),
            "sec/tick": round(seconds, 2),
            "sec/kimg": round(seconds / kimg, 3) if kimg else 0.0,
            "cpu_mem_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "gpu_mem_gb": round(torch.cuda.max_memory_allocated() / 2**30, 2) if on_gpu else 0.0,
            "augment": float(augment.p) if augment is not None else 0.0,
            "nonfinite": module.nonfinite_steps,
            **means,
        }

    def _report(self, trainer: pl.Trainer, row: dict[str, Any]) -> None:
        left = max(self.total_images - row["images_seen"], 0) / 1000 * row["sec/kimg"]
        memory = f"cpumem {row['cpu_mem_gb']:.2f}" + (f" gpumem {row['gpu_mem_gb']:.2f}" if row["gpu_mem_gb"] else "")
        figures = [
            f"tick {row['tick']:<4d} kimg {row['kimg']:<8.1f} time {duration(row['time']):<8s}",
            f"sec/kimg {row['sec/kimg']:<7.2f} {memory} augment {row['augment']:.3f}",
            _losses(row),
            f"left {duration(left)}",
        ]
        line = "  ".join(figures)
        say(self.folder, line)
        add_row(self.folder / "metrics.jsonl", row)
        log(trainer, {key: value for key, value in row.items() if key != "images_seen"}, row["images_seen"])


def _losses(row: dict[str, Any]) -> str:
    """The losses of a tick in few words: of the one network, or of a generator and its discriminator."""
    if "loss/total" in row:
        return f"loss {row['loss/total']:.4f}"

    def of(name: str) -> float:
        return row.get(f"loss/{name}", float("nan"))

    return f"G {of('G/loss'):.3f} D {of('D/loss'):.3f}  signs {of('signs/real'):+.2f} {of('signs/fake'):+.2f}"
