"""Evaluation in training: when, what is written, which checkpoint is kept, and that training does not notice."""

import json
from pathlib import Path

import pytest
import torch

import facegen
from facegen.callbacks.evaluation import Evaluation, name_of, short
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.evaluation import Result
from facegen.evaluation.pixels import pixel_extractor
from tests.models.test_resume import train
from tests.models.tiny import overrides, photographs

SCHEDULE = [
    "evaluation.every_kimg=[0.008,0.016]",
    "evaluation.num_images=[4,6]",
    "evaluation.metrics=[fid,kid]",
    "evaluation.extractor=pixels",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 32 images that was evaluated on the way, and beside it one that was not."""
    folder = tmp_path_factory.mktemp("evaluated")
    photos = photographs(folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(folder / "cache"))
        train(overrides(photos, folder / "runs", "name=run", "total_kimg=0.032", *SCHEDULE))
        train(overrides(photos, folder / "runs", "name=plain", "total_kimg=0.032"))
    return folder / "runs/run"


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]


def test_figures_come_on_schedule_and_training_does_not_notice(run: Path) -> None:
    few, more = ([row for row in rows(run) if f"fid{count}" in row] for count in (4, 6))
    assert [row["images_seen"] for row in few] == [8, 16, 24, 32]
    assert [row["images_seen"] for row in more] == [16, 32]
    assert all("kid4" in row and row["fid4"] > 0 for row in few)
    assert not (run / ".evaluation").exists()
    assert list((run.parents[1] / "cache/evaluation").iterdir())  # of the real pictures
    first, second = (read_checkpoint(checkpoint_files(folder)[-1]) for folder in (run, run.parent / "plain"))
    for name, tensor in first["state_dict"].items():
        assert torch.equal(tensor, second["state_dict"][name]), name


def test_the_best_checkpoint_is_that_of_the_best_figure(run: Path) -> None:
    best = min((row["fid6"], row["images_seen"]) for row in rows(run) if "fid6" in row)
    checkpoint = read_checkpoint(run / "best.ckpt")
    states = [state for name, state in checkpoint["callbacks"].items() if name.startswith("Evaluation")]
    assert states == [{"best": {"name": "fid6", "value": best[0], "images_seen": best[1]}}]
    assert facegen.load(run / "best.ckpt").z_dim == 16  # type: ignore[union-attr]


def test_what_is_better(tmp_path: Path) -> None:
    def watching(name: str, best: float | None) -> Evaluation:
        metrics = ["fid", "precision_recall", "fid3d"]
        callback = Evaluation(tmp_path, tmp_path, 1, {4: 1.0}, pixel_extractor(), metrics, name)
        callback.best = None if best is None else {"value": best}
        return callback

    assert watching("fid4", 2.0)._improves(1.0) and not watching("fid4", 2.0)._improves(3.0)
    assert watching("fid3d4/same data", 2.0)._improves(1.0)
    assert watching("recall4", 0.2)._improves(0.3) and not watching("recall4", 0.2)._improves(0.1)
    assert watching("fid4", None)._improves(1.0) and not watching("fid4", None)._improves(float("nan"))


def test_names() -> None:
    assert [short(count) for count in (1000, 50_000, 1500, 64)] == ["1k", "50k", "1500", "64"]
    assert name_of(Result("fid", "data", 1.0), 1000) == "fid1k"
    assert name_of(Result("fid3d", "avg->data", 1.0), 10_000) == "fid3d10k/avg->data"


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every_kimg: got 0"):
        Evaluation(tmp_path, tmp_path, 1, {4: 0}, pixel_extractor())
    with pytest.raises(ValueError, match="did you mean fid"):
        Evaluation(tmp_path, tmp_path, 1, {4: 1}, pixel_extractor(), metrics=["fif"])
    with pytest.raises(ValueError, match=r"best: got 'kid4', expected one of fid4"):
        Evaluation(tmp_path, tmp_path, 1, {4: 1}, pixel_extractor(), best="kid4")
