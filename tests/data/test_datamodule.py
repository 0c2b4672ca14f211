import multiprocessing
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lightning
import numpy as np
import pytest
import torch
from PIL import Image

from facegen.data import FaceBatch, FaceDataModule, Recipe
from facegen.data.images import decode, resize
from tests.data.helpers import noise, pixels


def module(
    root: Any, batch_size: int = 4, workers: int = 0, cache: bool | str = "auto", **options: Any
) -> FaceDataModule:
    return FaceDataModule(Recipe(root, **options), batch_size, workers, seed=1, cache=cache)


def attach(data: FaceDataModule, images_seen: int = 0, rank: int = 0, world: int = 1) -> FaceDataModule:
    """Put a data module where a trainer would have it."""
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    model = SimpleNamespace(images_seen=images_seen)
    trainer = SimpleNamespace(lightning_module=model, global_rank=rank, world_size=world, strategy=strategy)
    data.trainer = cast(lightning.Trainer, trainer)
    return data


def take(data: FaceDataModule, count: int) -> list[FaceBatch]:
    return list(islice(data.train_dataloader(), count))


def same(a: FaceBatch, b: FaceBatch) -> bool:
    return torch.equal(a.images, b.images) and torch.equal(a.cameras, b.cameras) and a.ids == b.ids


def test_batches(labelled: Path) -> None:
    (batch,) = take(module(labelled, labels=True, mirror=True), 1)
    assert isinstance(batch, FaceBatch)
    assert batch.images.shape == (4, 3, 16, 16) and batch.images.dtype == torch.uint8
    assert batch.cameras.shape == (4, 25) and batch.cameras.dtype == torch.float32
    assert batch.conditions == {} and len(batch.ids) == 4
    assert take(module(labelled), 1)[0].cameras.shape == (4, 0)


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("filter", ["box", "lanczos"])
def test_an_epoch_holds_every_face_and_its_mirror_image(labelled: Path, filter: str, cache: bool) -> None:
    data = module(labelled, cache=cache, resolution=8, filter=filter, mirror=True, labels=True)
    for _ in range(2):  # the second time from the cache
        batches = take(data, 3)
        assert sorted(name for batch in batches for name in batch.ids) == sorted(data.recipe.rows["id"].to_pylist() * 2)
        turned = 0
        for batch in batches:
            for image, label, name in zip(batch.images, batch.cameras, batch.ids, strict=True):
                row = data.recipe.rows["id"].to_pylist().index(name)
                expected = resize(decode((labelled / f"{name}.png").read_bytes()), 8, filter)
                flipped = not np.array_equal(pixels(image), expected)
                turned += flipped
                np.testing.assert_array_equal(pixels(image), expected[:, ::-1] if flipped else expected)
                table = data.recipe.mirrored_label_table if flipped else data.recipe.label_table
                np.testing.assert_array_equal(label, table[row])
        assert turned == 6


@pytest.mark.parametrize("cache", [True, False])
def test_the_same_bytes_with_any_number_of_workers(folder: Path, cache: bool) -> None:
    alone = take(module(folder, mirror=True, cache=cache), 10)
    with_workers = take(module(folder, workers=2, mirror=True, cache=cache), 10)
    assert all(map(same, alone, with_workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_continues_the_stream(folder: Path, workers: int) -> None:
    stream = take(module(folder), 9)
    later = take(attach(module(folder, workers=workers), images_seen=20), 4)
    assert all(map(same, stream[5:], later))


def test_processes_together_see_what_one_sees(folder: Path) -> None:
    stream = take(module(folder, batch_size=6), 5)
    parts = [take(attach(module(folder, batch_size=6), rank=rank, world=2), 5) for rank in range(2)]
    for batch, *shares in zip(stream, *parts, strict=True):
        assert batch.ids[0::2] == shares[0].ids and batch.ids[1::2] == shares[1].ids
        assert torch.equal(torch.stack([share.images for share in shares], 1).flatten(0, 1), batch.images)


def test_spawned_workers_share_the_cache(folder: Path) -> None:
    data = module(folder, cache=True, mirror=True)
    expected = take(module(folder, cache=False, mirror=True), 6)
    assert data.dataset.cache is not None and data.dataset.cache.get(0) is None
    loader = torch.utils.data.DataLoader(
        data.dataset,
        None,
        sampler=cast(Any, list(data.train_dataloader().sampler.__iter__().__next__() for _ in range(1))),
        num_workers=1,
        multiprocessing_context=multiprocessing.get_context("spawn"),
    )
    (batch,) = list(loader)
    assert same(batch, expected[0])
    present = [row for row in range(12) if data.dataset.cache.get(row) is not None]
    assert sorted(data.dataset.reader.ids[row] for row in present) == sorted(set(batch.ids))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_during_training_is_named_in_one_line(folder: Path, workers: int) -> None:
    data = module(folder, batch_size=12, workers=workers, cache=False)
    loader = data.train_dataloader()  # the check before training still finds everything in order
    path = folder / "a" / "02.png"
    content = path.read_bytes()
    path.write_bytes(content[:60] + b"\xff" * (len(content) - 60))
    with pytest.raises(ValueError, match=r"a/02\.png: corrupt or truncated PNG") as caught:
        next(iter(loader))
    assert "\n" not in str(caught.value)


def test_training_refuses_broken_sources_before_it_starts(folder: Path) -> None:
    (folder / "a" / "02.png").write_bytes(b"")
    Image.fromarray(noise(16, 0)[..., 0]).save(folder / "grey.png")
    with pytest.raises(
        ValueError, match=r"2 problems.*02\.png.*empty.*grey\.png.*facegen data validate root="
    ) as caught:
        module(folder).train_dataloader()
    assert "\n" not in str(caught.value)


def test_too_small_images_are_refused_unless_asked_for(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"16x16 for resolution 32.*upscale=true"):
        module(folder, resolution=32).train_dataloader()
    assert take(module(folder, resolution=32, upscale=True), 1)[0].images.shape == (4, 3, 32, 32)


def test_sequential_pass(folder: Path) -> None:
    data = module(folder, batch_size=5, mirror=True)
    batches = list(data.sequential_dataloader())
    assert [len(batch.ids) for batch in batches] == [5, 5, 2]
    assert [name for batch in batches for name in batch.ids] == data.recipe.rows["id"].to_pylist()
    assert sum(len(batch.ids) for batch in data.sequential_dataloader(mirror=True)) == 24


def test_label_pool(labelled: Path) -> None:
    pool = module(labelled, labels=True, mirror=True).label_pool
    assert pool is not None and pool.shape == (12, 25) and len(pool.unique(dim=0)) >= 11
    assert module(labelled).label_pool is None


def test_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    data = module(folder, workers=99)
    assert data.workers == data.train_dataloader().num_workers == 3
    data.trainer = cast(Any, SimpleNamespace(num_devices=2, **vars(attach(module(folder)).trainer)))
    assert data.train_dataloader().num_workers == 1
    with pytest.raises(ValueError, match="workers"):
        module(folder, workers=-1)
    with pytest.raises(ValueError, match="cache"):
        module(folder, cache="maybe")
    with pytest.raises(ValueError, match="multiple"):
        attach(module(folder, batch_size=3), world=2).train_dataloader()
    data = FaceDataModule.from_root([str(folder)], resolution=8, mirror=True, batch_size=6)
    assert (data.num_images, data.resolution, data.c_dim, data.batch_size) == (12, 8, 0, 6)


class Recorder(lightning.LightningModule):
    """Writes down what arrives."""

    def __init__(self, images_seen: int) -> None:
        super().__init__()
        self.images_seen, self.ids = images_seen, []
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: FaceBatch) -> torch.Tensor:
        assert isinstance(batch, FaceBatch)
        self.ids += batch.ids
        return self.weight * batch.images.float().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings("ignore")
def test_a_real_trainer_takes_the_endless_stream(folder: Path, tmp_path: Path) -> None:
    """Longer than an epoch, from a resumed place, and Lightning leaves the sampler alone."""
    expected = [name for batch in take(module(folder), 12) for name in batch.ids][8:]
    recorder = Recorder(images_seen=8)
    trainer = lightning.Trainer(
        max_steps=10,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(recorder, datamodule=module(folder, workers=1))
    assert recorder.ids == expected


def test_zip_and_folder_give_the_same_batches(labelled: Path, make_zip: Callable[..., Path]) -> None:
    packed = take(module(make_zip(labelled), workers=2, labels=True), 4)
    assert all(map(same, take(module(labelled, labels=True), 4), packed))
