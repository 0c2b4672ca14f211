import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from facegen.data import FaceDataModule, Recipe, latent_making, latents
from facegen.data.latents import LatentCache
from tests.data.first_stages import TinyStage
from tests.data.helpers import noise

SHARD = 3  # of eight faces: the last one is shorter


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(latents, "SHARD", SHARD)
    monkeypatch.setenv("FACEGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(8):
        Image.fromarray(noise(16, number)).save(root / f"{number}.png")
    return root


def module(root: Any, workers: int = 0, **options: Any) -> FaceDataModule:
    return FaceDataModule(Recipe(root, **options), batch_size=16, workers=workers, seed=1)


def direct(stage: TinyStage, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return stage.encode(images.float() / 127.5 - 1)


def moments(data: FaceDataModule) -> torch.Tensor:
    return next(iter(data.train_dataloader())).conditions["moments"]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_carry_what_the_first_stage_makes_of_their_pictures(photos: Path, workers: int) -> None:
    stage, pictures = TinyStage(), next(iter(module(photos, mirror=True).train_dataloader()))
    data = module(photos, workers, mirror=True)
    data.attach_latents(stage, "cpu", batch_size=5)
    batch = next(iter(data.train_dataloader()))
    assert batch.ids == pictures.ids and batch.images.shape == (16, 3, 0, 0)
    assert batch.conditions["moments"].shape == (16, 4, 4, 4) and batch.conditions["moments"].dtype == torch.float32
    assert torch.allclose(batch.conditions["moments"], direct(stage, pictures.images), atol=1e-5)
    assert data.dataset[[0]].images.shape == (1, 3, 16, 16)  # sample grids look at pictures


def test_a_flipped_picture_is_encoded_as_such(photos: Path) -> None:
    stage, data = TinyStage(), module([{"root": photos, "ids": ["1", "2"], "mirror": True}, {"root": photos}])
    cache = data.attach_latents(stage)
    assert cache.num_pictures == 12  # two of the ten come flipped as well
    images = torch.from_numpy(np.stack([data.dataset.pixels(row) for row in (1, 1, 9)])).clone()
    images[1] = images[1].flip(-1)
    found = torch.from_numpy(cache.moments(np.array([1, 1, 9]), np.array([False, True, False])))
    assert torch.allclose(found, direct(stage, images), atol=1e-5)
    assert (found[1] - found[0].flip(-1)).abs().max() > 0.1


def test_pictures_can_come_as_well(photos: Path) -> None:
    data = module(photos)
    data.attach_latents(TinyStage(), images=True)
    batch = next(iter(data.train_dataloader()))
    assert torch.allclose(batch.conditions["moments"], direct(TinyStage(), batch.images), atol=1e-5)


def test_float16_is_half_as_large_and_nearly_the_same(photos: Path, tmp_path: Path) -> None:
    small, exact = module(photos), module(photos)
    halved = small.attach_latents(TinyStage(), dtype="float16")
    whole = exact.attach_latents(TinyStage())
    assert halved.folder != whole.folder
    ratio = halved.path(0).stat().st_size / whole.path(0).stat().st_size
    assert 0.4 < ratio < 0.65  # headers do not shrink
    assert 0 < (moments(small) - moments(exact)).abs().max() < 2e-3


def test_nothing_is_encoded_twice(photos: Path) -> None:
    module(photos).attach_latents(TinyStage())
    again, data = TinyStage(), module(photos, labels=False)
    data.attach_latents(again)
    assert again.calls == 0


def test_repeats_and_scale_use_the_same_cache(photos: Path) -> None:
    made = module(photos).attach_latents(TinyStage())
    again = TinyStage(scaling_factor=0.3)
    assert module({"root": photos, "repeat": 3}).attach_latents(again).folder == made.folder and again.calls == 0


@pytest.mark.parametrize("change", ["weights", "pictures", "size", "mirror"])
def test_caches_of_others_are_never_used(photos: Path, change: str) -> None:
    made = module(photos).attach_latents(TinyStage())
    if change == "pictures":
        Image.fromarray(noise(16, 99)).save(photos / "7.png")  # a file of the same size
    size, seed = (8, 0) if change == "size" else (16, 1) if change == "weights" else (16, 0)
    stage = TinyStage(size, seed)
    data = module(photos, resolution=size, mirror=change == "mirror")
    whose = "another autoencoder" if change == "weights" else "other pictures"
    with pytest.raises(ValueError, match=f"holds latents of {whose}"):
        data.attach_latents(stage, folder=made.folder)
    assert data.attach_latents(stage).folder != made.folder
    items = list(range(8))
    expected = direct(stage, data.dataset[items].images)
    assert data._latents is not None
    assert torch.allclose(data._latents[items].conditions["moments"], expected, atol=1e-5)


def test_bad_input(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pictures of 16 pixels, expected the autoencoder's 32"):
        module(photos).attach_latents(TinyStage(32))
    with pytest.raises(ValueError, match=r"dtype 'int8', expected one of: float32, float16"):
        module(photos).attach_latents(TinyStage(), dtype="int8")
    with pytest.raises(ValueError, match=r"holds 0\.png and no manifest\.json"):
        module(photos).attach_latents(TinyStage(), folder=photos)
    made = module(photos).attach_latents(TinyStage())
    with pytest.raises(ValueError, match="holds latents of dtype float32"):
        module(photos).attach_latents(TinyStage(), dtype="float16", folder=made.folder)
    (made.folder / latents.MANIFEST).write_text("[]")
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read"):
        module(photos).attach_latents(TinyStage())


def test_latents_that_are_not_finite_are_refused(photos: Path) -> None:
    broken, large = TinyStage(), TinyStage()
    for stage, value in ((broken, float("nan")), (large, 1e6)):
        list(stage.layers.parameters())[-1].data[0] = value
    with pytest.raises(ValueError, match="not finite for faces 0 to 2; is the autoencoder trained"):
        module(photos).attach_latents(broken)
    with pytest.raises(ValueError, match="not finite for faces 0 to 2; float32 has the range"):
        module(photos).attach_latents(large, dtype="float16")
    assert not list((photos.parent / "cache").rglob("*.npy"))


@pytest.mark.parametrize("damage", ["byte", "cut", "empty", "gone"])
def test_a_damaged_shard_is_noticed_and_made_again(photos: Path, damage: str) -> None:
    data = module(photos)
    path = data.attach_latents(TinyStage()).path(1)
    expected, content = moments(data), path.read_bytes()
    damaged = {"byte": content[:200] + b"\x55" + content[201:], "cut": content[:-7], "empty": b""}
    path.unlink() if damage == "gone" else path.write_bytes(damaged[damage])
    stage, again = TinyStage(), module(photos)
    again.attach_latents(stage, batch_size=8)
    assert stage.calls == 2  # one batch, and one to learn the size
    assert path.read_bytes() == content and torch.equal(moments(again), expected)


def test_a_shard_that_disappears_is_named(photos: Path) -> None:
    data = module(photos)
    cache = data.attach_latents(TinyStage())
    cache.path(2).unlink()
    with pytest.raises(ValueError, match=r"000002\.npy cannot be read.*start again"):
        moments(data)


class Slow(TinyStage):
    """So slow that it can be killed in the middle."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        time.sleep(0.3)
        return super().encode(images)


def fill(photos: Path, rank: int = 0, world: int = 1, slow: bool = False, limit: int = 0) -> None:
    """Make a cache in a process of its own, which must not write files longer than `limit` bytes."""
    latents.SHARD = SHARD
    torch.set_num_threads(1)
    data, stage = module(photos, mirror=True), (Slow if slow else TinyStage)()
    cache = _same_cache(data)
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        latent_making.fill(cache, data.dataset, stage, torch.device("cpu"), 2, rank=rank, world=world)
    except OSError as error:
        (photos.parent / "error.txt").write_text(str(error))
        raise SystemExit(3) from error
    (photos.parent / f"calls{rank}.txt").write_text(str(stage.calls))
    whole = [cache.whole(number) for number in range(cache.num_shards)]
    raise SystemExit(0 if all(whole) else 4)


def _same_cache(data: FaceDataModule) -> LatentCache:
    return latents.latent_cache(data.dataset, TinyStage())


def process(*arguments: Any) -> multiprocessing.Process:
    started: Any = multiprocessing.get_context("fork").Process(target=fill, args=arguments, daemon=True)
    started.start()
    return started


def test_what_a_killed_process_made_is_kept(photos: Path) -> None:
    cache = _same_cache(module(photos, mirror=True))
    killed = process(photos, 0, 1, True)
    while not cache.path(0).exists():
        time.sleep(0.02)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert not cache.path(2).exists()
    times = [cache.path(n).stat().st_mtime_ns for n in range(3) if cache.path(n).exists()]
    (cache.folder / ".000002.npy.abc.tmp").write_bytes(b"half")  # what a process leaves that is killed while it writes
    data = module(photos, mirror=True)
    data.attach_latents(TinyStage())
    assert [cache.path(n).stat().st_mtime_ns for n in range(len(times))] == times
    assert not list(cache.folder.glob("*.tmp")) and not list(cache.folder.glob(".*.tmp"))
    pictures = next(iter(module(photos, mirror=True).train_dataloader()))
    assert torch.allclose(moments(data), direct(TinyStage(), pictures.images), atol=1e-5)


def test_two_processes_share_the_work(photos: Path) -> None:
    both = [process(photos, rank, 2, True) for rank in range(2)]
    for one in both:
        one.join(60)
        assert one.exitcode == 0
    calls = [int((photos.parent / f"calls{rank}.txt").read_text()) for rank in range(2)]
    assert sum(calls) - 2 == 8 and min(calls) > 2  # 3 + 3 + 2 batches, each once; and one each to learn the size


def test_nobody_waits_for_a_process_that_died(photos: Path) -> None:
    dead, alive = process(photos, 0, 2, True), process(photos, 1, 2, True)
    cache = _same_cache(module(photos, mirror=True))
    while not (cache.folder / ".lock").exists():
        time.sleep(0.02)
    assert dead.pid is not None
    os.kill(dead.pid, signal.SIGKILL)
    dead.join()
    alive.join(60)
    assert alive.exitcode == 0


def test_a_full_disk_is_one_clear_line(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = process(photos, 0, 1, False, 1500)  # the last shard is short enough for it
    full.join(60)
    message = (photos.parent / "error.txt").read_text()
    assert full.exitcode == 3 and "the disk is full; 0 of 16 latents are kept there" in message
    cache = _same_cache(module(photos, mirror=True))
    assert [path.name for path in cache.folder.iterdir() if path.suffix != ".json"] == [".lock"]
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(latent_making.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"0\.0 GB are needed.*another disk, or float16"):
        module(photos, mirror=True).attach_latents(TinyStage())


def test_the_cache_crosses_spawned_workers(photos: Path) -> None:
    data = module(photos)
    cache = data.attach_latents(TinyStage())
    expected = data._latents[[3, 1]].conditions["moments"]  # type: ignore[index]
    assert cache._shards
    assert data._latents is not None
    loader = DataLoader(
        data._latents,
        None,
        sampler=[[3, 1]],  # type: ignore[arg-type]
        num_workers=1,
        multiprocessing_context=multiprocessing.get_context("spawn"),
    )
    (batch,) = list(loader)
    assert torch.equal(batch.conditions["moments"], expected)
