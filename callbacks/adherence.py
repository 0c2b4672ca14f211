"""Adherence in training: do samples show the conditions that they were made with?"""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from facegen.callbacks.clock import due
from facegen.callbacks.reports import add_row, keep_rows, log, say
from facegen.callbacks.samples import publish
from facegen.data.dataset import FaceDataset
from facegen.data.part_orders import painted
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.evaluation.adherence import CHANCE, Measured, Shown, measure
from facegen.evaluation.adherence_sides import Judges, judged
from facegen.evaluation.plan import Denoising
from facegen.networks.diffusion import is_diffusion
from facegen.reports.durations import duration

ADHERENCE = "adherence.jsonl"  # in the run folder
_SHOWN = 8  # faces in the picture


class Adherence(pl.Callback):
    """Every `every_kimg`, and at both ends: a row of `adherence.jsonl`, figures in the loggers, `adherence/<kimg>.png`.

    Always the same faces, latents and noise. judges: what looks at the samples. held_out: the faces that samples are
    asked to be like, `num_faces` of them; None: faces of the training data. denoising: how samples are made. A first
    row says what judges make of the faces' own pictures, which is the ceiling. Runs in the first process only; the
    others wait at their next exchange. Draws no random numbers of training.
    """

    def __init__(
        self,
        folder: str | Path,
        total_kimg: float,
        every_kimg: float,
        judges: Judges,
        held_out: FaceDataset | None = None,
        num_faces: int = 32,
        batch_size: int = 16,
        denoising: Denoising | None = None,
    ) -> None:
        if not every_kimg > 0:
            raise ValueError(f"adherence.every_kimg: got {every_kimg}, expected thousand images above 0")
        if num_faces < 2:
            raise ValueError(f"adherence.num_faces: got {num_faces}, expected at least 2, to compare with each other")
        self.folder, self.judges, self.faces = Path(folder), judges, held_out
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)
        self.num_faces, self.batch_size = num_faces, batch_size
        self.denoising = denoising or Denoising()
        self._items: list[int] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Choose faces; judge their own pictures and the untrained generator's. ValueError where nothing is judged."""
        if not is_diffusion(getattr(pl_module, "generator_ema", None)):
            raise ValueError("adherence: got a model without conditions to adhere to, expected a diffusion model")
        faces: Any = self.faces or trainer.datamodule.dataset  # type: ignore[attr-defined]
        judged(faces, self.judges)
        if not trainer.is_global_zero:
            return
        self.faces = faces
        keep_rows(self.folder / ADHERENCE, pl_module.images_seen)
        order = np.random.default_rng([pl_module.seed, _SHOWN]).permutation(faces.num_unmirrored)
        self._items = order[: self.num_faces].tolist()
        if pl_module.images_seen == 0:
            self._measure(trainer, pl_module, None)
            self._measure(trainer, pl_module, pl_module.generator_ema)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Measure when due and at the end."""
        seen = pl_module.images_seen
        if trainer.is_global_zero and (seen >= self.total_images or due(seen, pl_module.batch_size, self.every)):
            self._measure(trainer, pl_module, pl_module.generator_ema)

    def _measure(self, trainer: pl.Trainer, module: Any, generator: Any | None) -> None:
        """Samples of a generator, or None: the faces' own pictures."""
        assert self.faces is not None
        begun, device = time.perf_counter(), module.device
        settings: dict[str, Any] = {"seed": module.seed, "batch_size": self.batch_size}
        with torch.random.fork_rng([device] if device.type == "cuda" else []):  # a detector may draw
            found = measure(generator, self.faces, self._items, self.judges, self.denoising, **settings)
        stem = "real" if generator is None else f"{module.images_seen / 1000:09.3f}"
        path = save_png(sheet(found.shown, self.judges, _SHOWN), self.folder / "adherence" / f"{stem}.png")
        if generator is not None:
            publish(trainer, "adherence", path, module.images_seen)
        self._report(trainer, module.images_seen, found, time.perf_counter() - begun, generator is None)

    def _report(self, trainer: pl.Trainer, seen: int, found: Measured, seconds: float, real: bool) -> None:
        of, figures = "real" if real else "generated", found.figures
        row = {"images_seen": seen, "kimg": seen / 1000, "pictures": of, **figures, "seconds": round(seconds, 2)}
        add_row(self.folder / ADHERENCE, row)
        main = [name for name in figures if not name.startswith(CHANCE) and "/" not in name]
        text = "  ".join(f"{name} {figures[name]:.4g} ({figures[CHANCE + name]:.4g})" for name in main)
        line = f"adherence of {of} faces (chance) at {seen / 1000:.1f} kimg: {text}  ({duration(seconds)})"
        say(self.folder, line)
        prefix = "adherence_real" if real else "adherence"
        log(trainer, {f"{prefix}/{name}": value for name, value in figures.items()}, seen)


def sheet(shown: Shown, judges: Judges, count: int) -> np.ndarray:
    """A row for each of the first faces: its own picture, hints, sample, then what the judges see in the sample.

    Masks are those of the face and of the sample, side by side; the fitted face is laid on the sample.
    """
    columns: list[Tensor] = [shown.batch.images, *map(_bytes, shown.hints.values()), shown.seen.images]
    if judges.parser is not None and shown.truth.parts is not None and shown.seen.parts is not None:
        columns += [painted(ids, judges.parser.parts) for ids in (shown.truth.parts, shown.seen.parts)]
    if (sight := shown.seen.sight) is not None:
        columns.append(torch.where(sight.depth > 0, to_uint8(sight.renders), shown.seen.images.to(sight.depth.device)))
    if shown.seen.edges is not None and shown.truth.edges is not None:
        columns += [_lines(edges) for edges in (shown.truth.edges, shown.seen.edges)]
    rows = torch.stack([column[:count].cpu() for column in columns], dim=1).flatten(0, 1)
    return tile(rows, len(columns))


def _bytes(hint: Tensor) -> Tensor:
    return (hint * 255).round().clamp(0, 255).to(torch.uint8)


def _lines(edges: np.ndarray) -> Tensor:
    """Thin edges as black lines on white."""
    return torch.from_numpy(np.where(edges, 0, 255).astype(np.uint8))[:, None].expand(-1, 3, -1, -1)
