"""TensorBoard and W&B (offline) get the figures and the grids."""

from pathlib import Path

import pytest

from tests.models.test_resume import train
from tests.models.tiny import overrides, photographs

pytest.importorskip("wandb")
event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def test_figures_and_grids_reach_the_loggers(tmp_path: Path) -> None:
    photos = photographs(tmp_path / "photos")
    train(overrides(photos, tmp_path / "runs", "name=run", "total_kimg=0.016", "tensorboard=true", "wandb=offline"))
    events = event_accumulator.EventAccumulator(str(tmp_path / "runs/run/tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss/D/loss")] == [8, 16]
    assert [event.step for event in events.Images("samples")] == [0, 16]
    assert list((tmp_path / "runs/run/wandb").glob("offline-run-*/run-*.wandb"))
