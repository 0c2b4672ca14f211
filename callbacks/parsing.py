"""What a face-parsing network sees: pictures, their masks, and beside them the masks that it finds."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from facegen.callbacks.reports import keep_rows, report
from facegen.callbacks.samples import SampleGrids, publish
from facegen.data.dataset import FaceDataset
from facegen.data.part_orders import painted, parts_of
from facegen.data.pictures import save_png, tile
from facegen.metrics.overlap import MaskIoU
from facegen.networks.parsing import parse

_AT_ONCE = 32
PARSING = "parsing.jsonl"  # in the run folder


class ParsingGrids(SampleGrids):
    """`samples/<kimg>.png` every `every_kimg`: picture | truth | found, always the same pictures.

    held_out: faces that are not trained on. At the same moments, a row of `parsing.jsonl` and figures in the loggers:
    `miou` and the IoU of each part over all of them.
    """

    def __init__(
        self,
        folder: str | Path,
        total_kimg: float,
        every_kimg: float,
        columns: int = 8,
        rows: int = 8,
        held_out: FaceDataset | None = None,
    ) -> None:
        super().__init__(folder, total_kimg, every_kimg, columns, rows)
        self.held_out = held_out

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Forget rows of the future; choose pictures."""
        if trainer.is_global_zero:
            keep_rows(self.folder / PARSING, pl_module.images_seen)
        super().on_train_start(trainer, pl_module)

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        assert self._reals is not None
        network, parts = module.network_ema, module.network_ema.parts
        images = self._reals.images.to(module.device) / 127.5 - 1
        found = torch.cat([parse(network, some) for some in images.split(_AT_ONCE)]).cpu()
        truth = parts_of(self._reals.conditions, module.column, parts)
        shown = torch.stack([self._reals.images, painted(truth, parts), painted(found, parts)], dim=1).flatten(0, 1)
        path = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}.png"
        publish(trainer, "samples", save_png(tile(shown, 3 * self.columns), path), module.images_seen)
        if self.held_out is not None:
            begun = time.perf_counter()
            figures = parsing_figures(network, module.column, self.held_out)
            path, seconds = self.folder / PARSING, time.perf_counter() - begun
            report(trainer, path, module.images_seen, figures, seconds, "held-out faces", "parsing")


@torch.no_grad()
def parsing_figures(network: Any, column: str, faces: FaceDataset) -> dict[str, float]:
    """`miou` and `iou/<part>` of a network over all faces of a dataset whose masks are known."""
    device = next(network.parameters()).device
    metric = MaskIoU(len(network.parts), sync_on_compute=False)
    for first in range(0, faces.num_unmirrored, _AT_ONCE):
        batch = faces[list(range(first, min(first + _AT_ONCE, faces.num_unmirrored)))]
        found = parse(network, batch.images.to(device) / 127.5 - 1).cpu()
        metric.update(found, parts_of(batch.conditions, column, network.parts))
    result = metric.compute()
    parts = {f"iou/{name}": float(value) for name, value in zip(network.parts, result.parts, strict=True)}
    return {"miou": float(result.mean), **{name: value for name, value in parts.items() if value == value}}
