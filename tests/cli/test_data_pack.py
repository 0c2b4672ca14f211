"""`facegen data pack` as it is typed, and training on what it writes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image

from facegen.cli import compose
from facegen.cli.commands import find
from tests.cli.conftest import Facegen
from tests.data.helpers import camera, noise


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six labelled faces of 16 pixels in NVIDIA's layout, and the working folder beside them."""
    root = tmp_path / "faces"
    root.mkdir()
    for seed in range(6):
        Image.fromarray(noise(16, seed)).save(root / f"{seed}.png")
    labels = [[f"{seed}.png", camera(seed)] for seed in range(6)]
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    monkeypatch.chdir(tmp_path)
    return root


LABELLED = ("data=folder", "data.root=faces", "data.labels=true", "data.mirror=true")


def test_zip_that_trains(facegen: Facegen, faces: Path) -> None:
    status, out, _ = facegen("data", "pack", *LABELLED, "out=made/faces.zip")
    assert status == 0 and "made/faces.zip: 12 images" in out and "6 copied, 6 encoded, 6 of them mirrored" in out
    assert sorted(p.name for p in Path("made").iterdir()) == ["faces.manifest.json", "faces.zip"]
    assert facegen("data", "validate", "root=made/faces.zip", "labels=true", "resolution=16")[0] == 0
    command = find(["train"])[0]
    assert command is not None
    words = ["data=zip", "data.root=made/faces.zip", "data.labels=true", "resolution=16", "batch_size=12", "workers=0"]
    data = instantiate(compose.checked(command, words).data)
    batch = next(iter(data.train_dataloader()))
    images = {tuple(label.tolist()): image for label, image in zip(batch.cameras, batch.images, strict=True)}
    assert len(images) == 12
    first = images[tuple(np.array(camera(0), dtype=np.float32).tolist())]
    assert torch.equal(first, torch.from_numpy(noise(16, 0)).permute(2, 0, 1))


def test_a_second_time_there_is_nothing_to_do(facegen: Facegen, refused: Callable[..., str], faces: Path) -> None:
    assert facegen("data", "pack", *LABELLED, "out=faces.zip")[0] == 0
    before = Path("faces.zip").stat()
    status, out, _ = facegen("data", "pack", *LABELLED, "out=faces.zip")
    assert status == 0 and "it was finished already, nothing to do" in out
    assert Path("faces.zip").stat() == before
    assert "of other images or settings" in refused("data", "pack", *LABELLED, "out=faces.zip", "compression=3")


def test_tar_files(facegen: Facegen, faces: Path) -> None:
    words = ("out=packed", "resolution=8", "shard_images=5", "mirrors=false", "compression=6")
    status, out, _ = facegen("data", "pack", *LABELLED, *words)
    assert status == 0 and "packed: 2 tar files, 6 images" in out and "0 copied, 6 encoded" in out
    manifest = json.loads(Path("packed/manifest.json").read_text())
    assert [shard["images"] for shard in manifest["shards"]] == [5, 1]
    assert manifest["recipe"]["resolution"] == 8 and manifest["settings"]["compression"] == 6


def test_licences_are_said_and_kept(facegen: Facegen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "celebahq"
    root.mkdir()
    for seed in range(3):
        Image.fromarray(noise(16, seed)).save(root / f"{seed}.jpg")
    status, out, _ = facegen("data", "pack", "data=celebahq", f"datasets.celebahq={root}", "out=a.zip", "resolution=16")
    terms = json.loads(Path("a.manifest.json").read_text())["terms"]
    assert status == 0 and len(terms) == 1 and f"{terms[0]['title']}: {terms[0]['licence']}" in out
    assert str(tmp_path) not in Path("a.manifest.json").read_text(), "a pack is made to be given away"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["out=a.zip"], "data is missing: add data=NAME"),
        (["data=folder", "data.root=faces"], "out is missing"),
        (["data=folder", "data.root=nowhere", "out=a.zip"], "nowhere does not exist"),
        (["data=folder", "data.root=faces", "out=a", "format=zip"], "expected a name that ends in .zip"),
        (["data=folder", "data.root=faces", "out=a.zip", "format=tar"], "expected a folder for the tar files"),
        (["data=folder", "data.root=faces", "out=a", "format=rar"], "format: got 'rar', expected zip or tar"),
        (["data=folder", "data.root=faces", "out=a", "shard_mb=0"], "shard_mb: got 0"),
        (["data=folder", "data.root=faces", "out=a", "compression=10"], "compression: got 10"),
        (["data=folder", "data.root=faces", "out=a", "workers=-1"], "workers: got -1"),
        (["data=folder", "data.root=faces", "out=a", "resolution=64"], "too small"),
        (["data=folder", "data.root=faces", "out=faces"], "was not finished by this command"),
    ],
)
def test_mistakes(refused: Callable[..., str], faces: Path, words: list[str], answer: str) -> None:
    assert answer in refused("data", "pack", *words)
    assert sorted(p.name for p in faces.parent.iterdir()) == ["faces"]
