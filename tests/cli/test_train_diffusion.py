"""`facegen train` of diffusion models that start from others, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from facegen.checkpoint import checkpoint_files, load, read_checkpoint, save_network
from facegen.cli import main
from tests.models.tiny import diffusion_overrides, photographs, tiny_first_stage

SHORT = ["total_kimg=0.004", "snapshot_kimg=0.004"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step."""
    folder = tmp_path_factory.mktemp("diffusion")
    photographs(folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(folder / "cache"))
        assert main(["train", *words_of(folder / "runs", "name=first")]) == 0
    return folder / "runs"


def words_of(runs: Path, *more: str) -> list[str]:
    return diffusion_overrides(runs.parent / "photos", runs, *SHORT, *more)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGEN_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", ["run", "export"])
def test_starts_from_the_weights(runs: Path, tmp_path: Path, kind: str) -> None:
    source: Any = load(runs / "first")
    start = runs / "first" if kind == "run" else save_network(source, tmp_path / "export")
    words = words_of(runs, f"name=from_{kind}", f"finetune_from={start}", "model.base_rate=1e-12")
    assert main(["train", *words]) == 0
    state = read_checkpoint(checkpoint_files(runs / f"from_{kind}")[-1])["state_dict"]
    trained = read_checkpoint(checkpoint_files(runs / "first")[-1])["state_dict"]
    for name, tensor in source.denoiser.state_dict().items():
        begun = trained[f"denoiser.{name}"] if kind == "run" else tensor
        assert torch.allclose(state[f"denoiser.{name}"], begun, atol=1e-6), name


def test_refusals(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], export: Path) -> None:
    other = save_network(tiny_first_stage(scaling_factor=2.0), tmp_path / "other")
    for number, (words, answer) in enumerate(
        [
            ([f"finetune_from={runs / 'first'}", f"model.first_stage={other}"], "another autoencoder"),
            ([f"finetune_from={runs / 'first'}", "model.conditions=null"], "does not fit"),
            ([f"finetune_from={export}"], "does not fit"),
            (["finetune_from=nowhere"], "nowhere"),
            (["model.first_stage=nowhere"], "nowhere"),
            (["resolution=32"], "32"),
        ]
    ):
        assert main(["train", *words_of(runs, f"name=no{number}", *words)]) == 2, words
        assert answer in capsys.readouterr().err, words


def test_invert_has_one_line(runs: Path, refused: Any) -> None:
    face = runs.parent / "photos/000.png"
    assert "which has no w" in refused("invert", f"checkpoint={runs / 'first'}", f"images={face}")
    stage = f"checkpoint={runs / 'first_stage'}"
    assert "holds a first stage of latent diffusion, expected a generator" in refused("generate", stage)
