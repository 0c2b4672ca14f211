"""What a first stage of latent diffusion keeps of pictures: grids of originals and what comes back, and figures."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from facegen.callbacks.clock import due
from facegen.callbacks.evaluation import EVALUATIONS, short
from facegen.callbacks.reports import keep_rows, report
from facegen.callbacks.samples import SampleGrids, publish
from facegen.data.dataset import FaceDataset
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.data.sampling import epoch_order
from facegen.losses.first_stage import psnr
from facegen.metrics.extractors import Extractor

_AT_ONCE = 16


class ReconstructionGrids(SampleGrids):
    """`reals.png` once, `samples/<kimg>.png` every `every_kimg`: the same pictures, beside each its reconstruction."""

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        assert self._reals is not None
        pairs = [_beside(part, module) for part in self._reals.images.split(_AT_ONCE)]
        path = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}.png"
        publish(trainer, "samples", save_png(tile(torch.cat(pairs), 2 * self.columns), path), module.images_seen)


def _beside(originals: Tensor, module: Any) -> Tensor:
    """Pictures (N, 3, R, R) uint8 and what an autoencoder makes of them, by turns (2N, 3, R, R)."""
    made = to_uint8(module.network_ema(originals.to(module.device) / 127.5 - 1).images).cpu()
    return torch.stack([originals, made], dim=1).flatten(0, 1)


class ReconstructionFigures(pl.Callback):
    """How far reconstructions are from pictures, every so many kimg: a row of `evaluations.jsonl`, and the loggers.

    schedule: number of pictures to thousand images between evaluations. Figures are called after the number: `psnr500`,
    the mean over pictures in decibels, and `rfid500`, the Fréchet distance between the reconstructions and those very
    pictures under `extractor`. faces: where pictures are from, always the same ones; None: the training data.
    """

    def __init__(
        self,
        folder: str | Path,
        total_kimg: float,
        schedule: Mapping[int, float],
        extractor: Extractor,
        faces: FaceDataset | None = None,
        batch_size: int = _AT_ONCE,
    ) -> None:
        for kimg in schedule.values():
            if not kimg > 0:
                raise ValueError(f"evaluation.every_kimg: got {kimg}, expected thousand images above 0")
        self.folder, self.total_images = Path(folder), round(total_kimg * 1000)
        self.schedule, self.extractor, self.faces, self.batch_size = dict(schedule), extractor, faces, batch_size

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Forget rows of the future."""
        if trainer.is_global_zero:
            keep_rows(self.folder / EVALUATIONS, pl_module.images_seen)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Measure what is due, and everything at the end."""
        seen = pl_module.images_seen
        if not trainer.is_global_zero:
            return
        for count, kimg in self.schedule.items():
            if seen >= self.total_images or due(seen, pl_module.batch_size, max(round(kimg * 1000), 1)):
                begun = time.perf_counter()
                training: Any = trainer.datamodule  # type: ignore[attr-defined]
                faces = training.dataset if self.faces is None else self.faces
                figures = reconstruction_figures(pl_module.network_ema, faces, count, self.extractor, self.batch_size)
                path, seconds = self.folder / EVALUATIONS, time.perf_counter() - begun
                report(trainer, path, seen, figures, seconds, "evaluation", "metrics", self.extractor.name)


@torch.no_grad()
def reconstruction_figures(
    network: Any, faces: FaceDataset, count: int, extractor: Extractor, batch_size: int = _AT_ONCE
) -> dict[str, float]:
    """`psnr<count>` and `rfid<count>` of a first stage over the first `count` pictures in a fixed order, or all.

    Both are of what can be shown: 8-bit pictures, and for KL models those of the mean latents.
    """
    from facegen.metrics.frechet import FrechetDistance

    device = next(network.parameters()).device
    extractor = extractor.to(device)
    distance = FrechetDistance(extractor.num_features, sync_on_compute=False).to(device)
    order = epoch_order(0, faces.num_unmirrored, 0)[:count]
    quality = []
    for first in range(0, len(order), batch_size):
        images = faces[order[first : first + batch_size].tolist()].images.to(device)
        made = to_uint8(network(images / 127.5 - 1).images)
        quality.append(psnr((made.float() - images.float()) / 127.5))
        distance.update(extractor(images), real=True)
        distance.update(extractor(made), real=False)
    name = short(len(order))
    return {f"psnr{name}": float(torch.cat(quality).mean()), f"rfid{name}": float(distance.compute())}
