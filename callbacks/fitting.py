"""A morphable model fitted to samples during training: do they show the cameras and depths they were made with?"""

import math
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from facegen.callbacks.clock import due
from facegen.callbacks.reports import keep_rows, report
from facegen.callbacks.samples import publish
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.evaluation.agreement import VIEWS, Faces, agreement, generated_faces, pose_figures
from facegen.evaluation.estimator import MorphableEstimator, Sight
from facegen.geometry.constants import LABEL_SIZE
from facegen.metrics.extractors import Extractor
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d
from facegen.networks.latents import latents
from facegen.rendering.depth_colors import depth_colors

FITS = "fitting.jsonl"  # in the run folder
_REAL_FAILURES = 0.05  # the share of real pictures whose residual counts as a failed fit, which sets the limit
_SHOWN = 8  # faces in the grid


class Fitting(pl.Callback):
    """Every `every_kimg`, and at both ends: a row of `fitting.jsonl`, figures in the loggers, a grid `fits/<kimg>.png`.

    Always the same latents, and for each two cameras of the training data. Runs in the first process only; the others
    wait at their next exchange. Draws no random numbers of training. estimator: what sees faces in pictures.
    num_faces: latents. extractor: embeddings that compare the two views; None: the fitted identity coefficients.
    """

    def __init__(
        self,
        folder: str | Path,
        total_kimg: float,
        every_kimg: float,
        estimator: MorphableEstimator,
        num_faces: int = 64,
        batch_size: int = 16,
        extractor: Extractor | None = None,
    ) -> None:
        if not every_kimg > 0:
            raise ValueError(f"fitting.every_kimg: got {every_kimg}, expected thousand images above 0")
        if num_faces < 2:
            raise ValueError(f"fitting.num_faces: got {num_faces}, expected at least 2, to compare with each other")
        self.folder, self.estimator, self.extractor = Path(folder), estimator, extractor
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)
        self.num_faces, self.batch_size = num_faces, batch_size
        self.most_residual = math.nan  # of a fit that counts; from real pictures
        self._labels = torch.zeros(0, LABEL_SIZE)

    def state_dict(self) -> dict[str, Any]:
        """What real pictures have told."""
        return {"most_residual": self.most_residual}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with it."""
        self.most_residual = state_dict["most_residual"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Choose cameras and real pictures; see how well those are fitted; look at the untrained generator."""
        _check(getattr(pl_module, "generator_ema", None), trainer.datamodule)  # type: ignore[attr-defined]
        if not trainer.is_global_zero:
            return
        keep_rows(self.folder / FITS, pl_module.images_seen)
        dataset: Any = trainer.datamodule.dataset  # type: ignore[attr-defined]
        order = np.random.default_rng([pl_module.seed, VIEWS]).permutation(len(dataset))
        chosen = dataset[np.resize(order, VIEWS * self.num_faces)]
        self._labels = chosen.cameras.to(pl_module.device)
        self.estimator = self.estimator.to(pl_module.device)
        if math.isnan(self.most_residual):
            self._look_at_real(trainer, pl_module, chosen.images[: self.num_faces].to(pl_module.device))
        if pl_module.images_seen == 0:
            self._look_at_generated(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Fit when due and at the end."""
        seen = pl_module.images_seen
        if trainer.is_global_zero and (seen >= self.total_images or due(seen, pl_module.batch_size, self.every)):
            self._look_at_generated(trainer, pl_module)

    def _look_at_real(self, trainer: pl.Trainer, module: Any, images: Tensor) -> None:
        """What the estimator makes of pictures whose cameras are known: the floor of a generator's figures."""
        begun = time.perf_counter()
        sight = self.estimator.look(images, self.batch_size)
        residuals = sight.residual[sight.residual.isfinite()]
        self.most_residual = float(residuals.quantile(1 - _REAL_FAILURES)) if len(residuals) else math.inf
        figures = pose_figures(self._labels[: len(images)], sight) | {"most_residual": self.most_residual}
        self._report(trainer, module.images_seen, "real", figures, time.perf_counter() - begun)

    def _look_at_generated(self, trainer: pl.Trainer, module: Any) -> None:
        begun, device = time.perf_counter(), module.device
        cuda = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(cuda):  # a detector or an extractor may draw
            z = latents(list(range(self.num_faces)), module.generator_ema.z_dim).to(device)
            faces = generated_faces(module.generator_ema, z, self._labels, module.seed, self.batch_size)
            sight = self.estimator.look(faces.images, self.batch_size)
            figures = agreement(faces, sight, self.most_residual, self.extractor)
        path = self.folder / "fits" / f"{module.images_seen / 1000:09.3f}.png"
        publish(trainer, "fits", save_png(overlay(faces, sight, _SHOWN), path), module.images_seen)
        self._report(trainer, module.images_seen, "generated", figures, time.perf_counter() - begun)

    def _report(self, trainer: pl.Trainer, seen: int, of: str, figures: dict[str, float], seconds: float) -> None:
        title, prefix = f"fits of {of} faces", "geometry" if of == "generated" else "geometry_real"
        report(trainer, self.folder / FITS, seen, figures, seconds, title, prefix, kind={"pictures": of})


def overlay(faces: Faces, sight: Sight, count: int) -> np.ndarray:
    """A row for each of the first faces: from both cameras the sample, the render on it, its depth, the render's."""
    side, views = faces.images.shape[-1], len(faces.images) // VIEWS
    depth = torch.nn.functional.interpolate(faces.depth, side, mode="bilinear")
    drawn = torch.where((sight.depth > 0), to_uint8(sight.renders), faces.images)
    kinds = [faces.images, drawn, *(_coloured(each, sight) for each in (depth, sight.depth))]
    rows = [
        kind[face + view * views].cpu() for face in range(min(count, views)) for view in range(VIEWS) for kind in kinds
    ]
    return tile(torch.stack(rows), VIEWS * len(kinds))


def _coloured(depth: Tensor, sight: Sight) -> Tensor:
    """Depths with the range of the face in each picture; dark where there is no face."""
    shown = []
    for values, mask in zip(depth.double().cpu().numpy(), sight.mask.cpu().numpy(), strict=True):
        inside = values[mask]
        near, far = (inside.min(), inside.max() + 1e-9) if len(inside) else (0.0, 1.0)
        shown.append(depth_colors(np.where(mask, values, np.inf)[0], near, far).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(shown))


def _check(generator: Any, data: Any) -> None:
    if is_diffusion(generator):
        raise ValueError("fitting: got a diffusion model, expected EG3D; adherence.regressor=FOLDER asks what it shows")
    if generator is None or not is_3d(generator):
        raise ValueError("fitting: got a generator of images, expected one with cameras (model=eg3d_...); leave it out")
    if data.c_dim != LABEL_SIZE:
        raise ValueError(f"fitting: got labels of {data.c_dim} numbers, expected cameras of {LABEL_SIZE}")
