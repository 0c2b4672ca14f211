"""Recipes for Lightning: an endless, seeded stream of batches, and one pass for statistics."""

import os
import signal
from pathlib import Path
from typing import Any, Self

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from facegen.data.batch import FaceBatch
from facegen.data.check import quick_check
from facegen.data.dataset import FaceDataset
from facegen.data.latent_making import fill
from facegen.data.latents import LatentCache, LatentDataset, latent_cache
from facegen.data.recipe import Recipe
from facegen.data.sampling import GlobalBatches
from facegen.data.selection import combine
from facegen.data.views import label_pool

SECONDS_TO_SAVE = 120  # after SIGTERM; schedulers kill after 30 to 90


class FaceDataModule(lightning.LightningDataModule):
    """Batches of a recipe.

    batch_size: images per step over all processes. workers: decoding processes of this process, never more than its
    share of the CPUs; 0 decodes in the training process. cache: keep decoded images in shared memory (`auto`: when they
    fit in 2 GiB). check: look at every header before training and refuse a recipe with problems.
    """

    def __init__(
        self,
        recipe: Recipe,
        batch_size: int = 32,
        workers: int = 2,
        seed: int = 0,
        cache: bool | str = "auto",
        check: bool = True,
    ) -> None:
        super().__init__()
        if workers < 0:
            raise ValueError(f"workers must be 0 or more, got {workers}")
        self.recipe, self.batch_size, self.seed, self.check = recipe, batch_size, seed, check
        self.workers = min(workers, available_cpus())
        self.dataset = FaceDataset(recipe, cache)
        self._checked = False
        self._latents: LatentDataset | None = None

    @classmethod
    def from_root(
        cls,
        root: Any = None,
        resolution: int | None = None,
        filter: str = "lanczos",
        mirror: bool = False,
        labels: bool = False,
        crop: str | None = None,
        convert: bool = False,
        upscale: bool = False,
        sources: dict[str, Any] | None = None,
        rebalance: str | dict[str, Any] | None = None,
        conditions: list[str] | None = None,
        batch_size: int = 32,
        workers: int = 2,
        seed: int = 0,
        cache: bool | str = "auto",
        check: bool = True,
    ) -> Self:
        """Batches of folders, zips or datasets: the arguments of `Recipe`, and of this class.

        `root` is what `Recipe` takes as its sources; `sources`, a mapping of names to them, is where several
        configurations can add theirs. The names are written out because the signature is the schema of the command
        line.
        """
        if root is None and not sources:
            raise ValueError("data has no sources; choose data=ffhq, data=lpff_ffhq, ..., or say data.root=FOLDER")
        images = (resolution, filter, mirror, labels, crop, convert, upscale)
        recipe = Recipe(combine(root, sources or {}), *images, rebalance, conditions)
        return cls(recipe, batch_size, workers, seed, cache, check)

    @property
    def num_images(self) -> int:
        """How many different images there are."""
        return self.recipe.num_faces

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return self.recipe.resolution

    @property
    def c_dim(self) -> int:
        """Length of a label; 0 without labels."""
        return self.recipe.c_dim

    @property
    def label_pool(self) -> torch.Tensor | None:
        """Labels of all items of an epoch, from which generated images draw theirs; None without labels."""
        return torch.from_numpy(label_pool(self.recipe)) if self.c_dim else None

    def attach_latents(
        self,
        first_stage: nn.Module,
        device: torch.device | str | None = None,
        batch_size: int = 32,
        dtype: str = "float32",
        folder: str | Path | None = None,
        images: bool = False,
    ) -> LatentCache:
        """Have training batches carry the moments of their pictures as the condition "moments", (N, M, h, w) float32.

        What is not in the cache is made first, all processes together; call it in all of them, before training begins
        (`on_fit_start` of a model). `device`: where to encode; null: where the first stage is. `images`: decode the
        pictures as well; otherwise those of a training batch are empty. `dataset` gives pictures as ever. `dtype`,
        `folder`: see `facegen.data.latents.latent_cache`. Raises ValueError for latents of another first stage.
        """
        self._check()
        cache = latent_cache(self.dataset, first_stage, dtype, folder)
        place = torch.device(device) if device is not None else next(first_stage.parameters()).device
        fill(cache, self.dataset, first_stage, place, batch_size, max(self.workers, 1), *self._rank())
        self._latents = LatentDataset(self.dataset, cache, images)
        return cache

    def train_dataloader(self) -> DataLoader:
        """Batches for ever, from the place in the stream that the trainer's module has reached.

        Raises ValueError that names the first problems of the images, and the command that shows them all.
        """
        self._check()
        start = int(getattr(self._module(), "images_seen", 0))
        rank, world = self._rank()
        weights = self.recipe.item_weights
        batches = GlobalBatches(len(self.dataset), self.batch_size, self.seed, start, rank, world, weights)
        return self._loader(batches, self._latents or self.dataset)

    def _check(self) -> None:
        if self.check and not self._checked:
            quick_check(self.recipe)
            self._checked = True

    def sequential_dataloader(self, batch_size: int | None = None, mirror: bool = False) -> DataLoader:
        """Every item once, in order, without flipped ones unless asked for: what statistics of real images need."""
        items = self.recipe.crowd
        items = items if mirror else items[items < self.dataset.num_unmirrored]
        size = batch_size or self.batch_size
        return self._loader([items[i : i + size].tolist() for i in range(0, len(items), size)], self.dataset)

    def _loader(self, batches: Any, dataset: Dataset[FaceBatch]) -> DataLoader[FaceBatch]:
        here = getattr(self.trainer, "num_devices", 1)  # training processes that share this machine's CPUs
        workers = min(self.workers, max(1, available_cpus() // here))
        return DataLoader(
            dataset,
            batch_size=None,
            sampler=batches,
            num_workers=workers,
            pin_memory=self._on_gpu(),
            worker_init_fn=prepare_worker,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
        )

    def _module(self) -> Any:
        return None if self.trainer is None else self.trainer.lightning_module

    def _rank(self) -> tuple[int, int]:
        if self.trainer is not None:
            return self.trainer.global_rank, self.trainer.world_size
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1

    def _on_gpu(self) -> bool:
        if self.trainer is not None:
            return self.trainer.strategy.root_device.type == "cuda"
        return torch.cuda.is_available()


def prepare_worker(worker: int) -> None:
    """One thread each, and signals left to the training process, which saves before it ends its workers.

    Ctrl-C in a terminal and a scheduler's SIGTERM reach every process of a job. A worker that died of it would end
    training in the middle of the step; one that ignored SIGTERM for ever could not be ended when it hangs.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(SECONDS_TO_SAVE))


def available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
