"""Grids and figures of diffusion models in training: what samples are told, and that training does not notice."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import facegen
from facegen.callbacks import SampleGrids
from facegen.callbacks.fitting import _check
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.cli import main
from facegen.data import Recipe
from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset
from facegen.data.masks import COLORS
from tests.models.tiny import camera_labels, diffusion_overrides, photographs
from tests.networks.tiny_diffusion import CAMERA, tiny_latent_generator

EVALUATION = [
    "evaluation.every_kimg=[0.008]",
    "evaluation.num_images=[4]",
    "evaluation.metrics=[fid,fid3d]",
    "evaluation.extractor=pixels",
    "evaluation.steps=1",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of four steps, one of which is evaluated on the way."""
    folder = tmp_path_factory.mktemp("diffusion")
    photos, short = photographs(folder / "photos"), ["total_kimg=0.016", "snapshot_kimg=0.008"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(folder / "cache"))
        for words in (["name=run", *EVALUATION], ["name=plain"]):
            assert main(["train", *diffusion_overrides(photos, folder / "runs", *short, *words)]) == 0
    return folder / "runs"


def test_training_does_not_notice(runs: Path) -> None:
    first, second = (read_checkpoint(checkpoint_files(runs / name)[-1]) for name in ("run", "plain"))
    for name, tensor in first["state_dict"].items():
        assert torch.equal(tensor, second["state_dict"][name]), name
    rows = [json.loads(line) for line in (runs / "run/evaluations.jsonl").read_text().splitlines()]
    assert [row["images_seen"] for row in rows] == [8, 16]
    assert all(row["fid4"] > 0 and row["fid3d4/same data"] == row["fid4"] for row in rows)


def test_samples_are_told_the_cameras_of_the_real_faces(runs: Path) -> None:
    generator: Any = facegen.load(runs / "run")
    dataset = FaceDataset(Recipe(runs.parent / "photos", labels=True, mirror=True))
    cameras = dataset[np.random.default_rng(0).permutation(12)[:4].tolist()].cameras
    z = torch.randn([4, generator.z_dim], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = (generator(z, cameras) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    sheet = np.asarray(Image.open(runs / "run/samples/00000.016.png"))
    cells = sheet.reshape(2, 16, 2, 16, 3).transpose(0, 2, 4, 1, 3).reshape(4, 3, 16, 16)
    assert np.abs(cells.astype(int) - made.numpy()).max() <= 1
    assert sorted(path.name for path in (runs / "plain/samples").iterdir()) == [
        *("00000.000.png", "00000.008.png", "00000.016.png")
    ]


def test_hints_stand_beside_their_samples(tmp_path: Path) -> None:
    generator = tiny_latent_generator(CAMERA, controls=("mask",))
    masks = torch.full((4, 1, 16, 16), 13, dtype=torch.uint8)
    images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    grids = SampleGrids(tmp_path, 1, 1, columns=2, rows=2)
    grids._reals = FaceBatch(images, camera_labels(4), {"mask": masks}, list("abcd"))
    module = SimpleNamespace(generator_ema=generator, device=torch.device("cpu"), seed=0, images_seen=0)
    before = torch.random.get_rng_state()
    grids._draw(SimpleNamespace(loggers=[]), module)  # type: ignore[arg-type]
    assert torch.equal(torch.random.get_rng_state(), before)
    sheet = np.asarray(Image.open(tmp_path / "samples/00000.000.png"))
    assert sheet.shape == (32, 64, 3)
    assert (sheet[:, :16] == COLORS[13]).all() and (sheet[:, 32:48] == COLORS[13]).all()
    assert not (sheet[:, 16:32] == COLORS[13]).all()


def test_refusals(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = runs.parent / "photos"
    for words, answer in (
        ([*EVALUATION, "evaluation.steps=0"], "steps: got 0"),
        ([*EVALUATION, "evaluation.metrics=[ppl]"], "path length in w"),
        ([*EVALUATION, "evaluation.conditions=all"], "expected real or dropped"),
    ):
        name = f"name=r{abs(hash(answer))}"
        assert main(["train", *diffusion_overrides(photos, runs, name, "total_kimg=0.008", *words)]) == 2
        assert answer in capsys.readouterr().err, words
    with pytest.raises(ValueError, match=r"fitting: got a diffusion model.*adherence"):
        _check(tiny_latent_generator(CAMERA), None)
