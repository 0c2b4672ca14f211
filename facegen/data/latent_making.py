"""Filling a cache of latents: several processes, on one or many machines, share the shards."""

import errno
import fcntl
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn
from tqdm import tqdm

from facegen.data.dataset import FaceDataset
from facegen.data.latents import LatentCache

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Work:
    """What makes the shards of a cache. Pictures are decoded in threads while the network encodes earlier ones."""

    def __init__(
        self, cache: LatentCache, faces: FaceDataset, first_stage: nn.Module, device: torch.device, batch_size: int
    ) -> None:
        self.cache, self.faces, self.device, self.batch_size = cache, faces, device, batch_size
        self.first_stage: Any = first_stage

    @torch.no_grad()
    def encoded(self, images: np.ndarray) -> Float32[np.ndarray, "picture channel height width"]:
        """Moments of uint8 pictures (N, 3, R, R)."""
        scaled = torch.from_numpy(images).to(self.device).float() / 127.5 - 1
        return self.first_stage.encode(scaled).float().cpu().numpy()

    def make(self, number: int, threads: ThreadPoolExecutor) -> None:
        """Encode the pictures of a shard, and keep it."""
        views, moments = self._views(number, threads), []
        while batch := list(islice(views, self.batch_size)):
            moments.append(self.encoded(np.stack(batch)))
        shard = np.concatenate(moments)
        with np.errstate(over="ignore"):  # said below
            stored = shard.astype(self.cache.about["dtype"])
        if not np.isfinite(stored).all():
            rows = self.cache.faces(number)
            whose = f"faces {self.faces.reader.ids[rows.start]} to {self.faces.reader.ids[rows.stop - 1]}"
            range_ = "; float32 has the range" if np.isfinite(shard).all() else "; is the autoencoder trained?"
            raise ValueError(f"latents: numbers that are not finite for {whose}{range_}")
        self.cache.write(number, stored)

    def _views(self, number: int, threads: ThreadPoolExecutor) -> Iterator[np.ndarray]:
        rows = self.cache.faces(number)
        for row, image in zip(rows, threads.map(self.faces.pixels, rows), strict=True):
            yield image
            if self.faces.mirrored[row]:
                yield image[:, :, ::-1]


def fill(
    cache: LatentCache,
    faces: FaceDataset,
    first_stage: nn.Module,
    device: torch.device,
    batch_size: int = 32,
    threads: int = 2,
    rank: int = 0,
    world: int = 1,
) -> None:
    """Make the shards that are missing or damaged; return when all are there, whoever made them.

    Process `rank` of `world` makes shards rank, rank + world, ... first, and then helps with those that nobody holds: a
    lock on the byte of its number goes with the process that has it, so that one that dies keeps nobody waiting.
    Raises ValueError for a folder of other latents and for latents that are not finite, and OSError for a full disk.
    """
    cache.describe()
    work = _Work(cache, faces, first_stage, device, batch_size)
    numbers = range(cache.num_shards)
    missing = [number for number in tqdm(numbers, "checking latents", delay=2) if not cache.whole(number)]
    if not missing:
        return
    order = sorted(missing, key=lambda number: ((number - rank) % world, number))
    with _evaluating(first_stage, device), ThreadPoolExecutor(threads) as pool, _room(cache):
        _check_space(work, missing)
        _share(work, order, pool, hidden=rank > 0)


def _share(work: _Work, order: list[int], pool: ThreadPoolExecutor, hidden: bool) -> None:
    """Make shards of `order`: first those that nobody is making, then whatever has not come from the others."""
    cache = work.cache
    with (
        (cache.folder / ".lock").open("a+b") as locks,
        tqdm(total=cache.num_pictures, desc="encoding latents", unit="picture", disable=hidden) as bar,
    ):
        held_by_others = []
        for wait, numbers in ((False, order), (True, held_by_others)):
            for number in numbers:
                with _claimed(locks, number, wait) as mine:
                    if not mine:
                        held_by_others.append(number)
                    elif not cache.whole(number):
                        work.make(number, pool)
                bar.update(_pictures_there(cache) - bar.n)


def _pictures_there(cache: LatentCache) -> int:
    return sum(cache.pictures(number) for number in range(cache.num_shards) if cache.path(number).exists())


@contextmanager
def _claimed(locks: IO[bytes], number: int, wait: bool) -> Iterator[bool]:
    """Whether this process has the lock of a shard, which it gives back at the end."""
    try:
        fcntl.lockf(locks, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, number)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(locks, fcntl.LOCK_UN, 1, number)


@contextmanager
def _evaluating(first_stage: nn.Module, device: torch.device) -> Iterator[None]:
    training = first_stage.training
    first_stage.to(device).eval()
    try:
        yield
    finally:
        first_stage.train(training)


def _check_space(work: _Work, missing: list[int]) -> None:
    """Raise OSError before hours of work whose result has no place."""
    side = work.faces.resolution
    size = work.encoded(np.zeros((1, 3, side, side), np.uint8)).size
    needed = (
        sum(work.cache.pictures(number) for number in missing) * size * np.dtype(work.cache.about["dtype"]).itemsize
    )
    free = shutil.disk_usage(work.cache.folder).free
    if needed > free:
        need = f"latents: {needed / 1e9:.1f} GB are needed in {work.cache.folder}, {free / 1e9:.1f} GB are free"
        raise OSError(f"{need}; choose a folder on another disk, or float16")


@contextmanager
def _room(cache: LatentCache) -> Iterator[None]:
    """Say what is kept when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        kept = f"{_pictures_there(cache)} of {cache.num_pictures} latents are kept there"
        raise OSError(f"{cache.folder}: the disk is full; {kept}: make room and start again") from error
