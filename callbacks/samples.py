"""Fixed-seed sample grids, and the real images to compare them with.

Generators with geometry come with depths; diffusion models are told what the real faces have, and show their hints.
"""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image

from facegen.callbacks.clock import due
from facegen.data.batch import FaceBatch
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.evaluation.asked import Asked, asked_of_faces, denoised
from facegen.evaluation.draws import Noise
from facegen.evaluation.plan import Denoising
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d

_AT_ONCE = 16
_STEPS = 20  # of a diffusion model's sampler, at most: enough to see what is learnt


class SampleGrids(pl.Callback):
    """`reals.png` once, `samples/<kimg>.png` of the averaged generator every `every_kimg`: always the same seeds."""

    def __init__(self, folder: str | Path, total_kimg: float, every_kimg: float, columns: int = 8, rows: int = 8):
        self.folder, self.columns, self.rows = Path(folder), columns, rows
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)
        self._reals: FaceBatch | None = None  # what samples are compared with, and take their labels from

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Choose the real images, whose labels the samples share; draw the untrained generator."""
        dataset: Any = trainer.datamodule.dataset  # type: ignore[attr-defined]
        order = np.random.default_rng(pl_module.seed).permutation(dataset.num_unmirrored)
        batch = self._reals = dataset[np.resize(order, self.columns * self.rows)]
        if trainer.is_global_zero:
            publish(trainer, "reals", save_png(tile(batch.images, self.columns), self.folder / "reals.png"), 0)
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
        assert self._reals is not None
        count = self.columns * self.rows
        random = torch.Generator(module.device).manual_seed(module.seed)
        z = torch.randn([count, module.generator_ema.z_dim], generator=torch.Generator().manual_seed(module.seed))
        if is_diffusion(module.generator_ema):
            parts = _denoise(module, z.to(module.device), self._reals)
        else:
            parts = [
                _look(module.generator_ema, a.to(module.device), c.to(module.device), random)
                for a, c in zip(z.split(_AT_ONCE), self._reals.cameras.split(_AT_ONCE), strict=True)
            ]
        stem = self.folder / "samples" / f"{module.images_seen / 1000:09.3f}"
        for name, pictures in zip(("samples", "depths"), zip(*parts, strict=True), strict=False):
            suffix = "" if name == "samples" else f"_{name}"
            path = save_png(tile(to_uint8(torch.cat(pictures)).cpu(), self.columns), Path(f"{stem}{suffix}.png"))
            publish(trainer, name, path, module.images_seen)


def publish(trainer: pl.Trainer, name: str, path: Path, step: int) -> None:
    """Show a picture in every logger that takes pictures."""
    for logger in trainer.loggers:
        experiment: Any = getattr(logger, "experiment", None)
        if hasattr(logger, "log_image"):
            logger.log_image(key=name, images=[str(path)], step=step)  # type: ignore[attr-defined]
        elif hasattr(experiment, "add_image"):
            experiment.add_image(name, np.asarray(Image.open(path)), step, dataformats="HWC")


def _look(generator: Any, z: torch.Tensor, c: torch.Tensor, random: torch.Generator) -> list[torch.Tensor]:
    """Images (N, 3, R, R) of latents and labels and, where there is geometry, distances: near is bright."""
    if not is_3d(generator):
        return [generator(z, c, noise_mode="const")]

    def rand(shape: list[int], device: Any = None) -> torch.Tensor:
        return torch.rand(shape, generator=random, device=device)

    out = generator(z, c, noise_mode="const", rand=rand)
    near, far = generator.depth_limits()
    depth = 1 - 2 * (out.image_depth - near) / (far - near)
    return [out.image, torch.nn.functional.interpolate(depth, out.image.shape[-1]).expand(-1, 3, -1, -1)]


def _denoise(module: Any, z: torch.Tensor, reals: FaceBatch) -> list[list[torch.Tensor]]:
    """Images of a diffusion model that is told what real faces have, to the right of the hints that it was shown."""
    generator = module.generator_ema
    asked = asked_of_faces(generator, reals, Noise(module.seed, 0, "samples", torch.device("cpu")))
    denoising = Denoising(steps=min(generator.sampling.steps, _STEPS))
    noise = Noise(module.seed, 0, "steps", z.device)
    parts = []
    for rows in torch.arange(len(z)).split(_AT_ONCE):
        part = asked.at(rows.tolist())
        made = denoised(generator, z[rows.to(z.device)], part, denoising, noise.randn)
        parts.append([torch.cat([*_shown(part, made), made], dim=3)])
    return parts


def _shown(asked: Asked, like: torch.Tensor) -> list[torch.Tensor]:
    """Hints as pictures in [-1, 1]."""
    return [2 * hint.to(like) - 1 for hint in asked.hints.values()]
