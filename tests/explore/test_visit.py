"""A visit from beginning to end: choose faces, rate, save a recipe, train on it, turn a head, compare the runs."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from facegen.checkpoint import checkpoint_files, save_network
from facegen.curation.columns import described_folder
from facegen.curation.taste import Ratings
from facegen.curation.taste.ratings import FILE
from facegen.data import Recipe
from tests.cli.analytic_head import tiny_eg3d
from tests.explore import visit
from tests.explore.conftest import COUNT, write_faces
from tests.programs import start

pytestmark = pytest.mark.browser

TINY = (
    "resolution=16 batch_size=4 tick_kimg=0.004 total_kimg=0.004 snapshot_kimg=1000 grid=2x2 workers=0 device=cpu "
    "data.cache=false "
    "model.generator={z_dim:16,w_dim:16,synthesis_kwargs:{channel_base:128,channel_max:8}} "
    "model.discriminator={channel_base:128,channel_max:8}"
)


def train(command: str, name: str, folder: Path) -> Path:
    """Train for one step; the run."""
    program = start([*shlex.split(command)[1:], *TINY.split(), f"name={name}"], folder / f"{name}.log", folder)
    program.join(200)
    assert program.exitcode == 0, (folder / f"{name}.log").read_text()
    return folder / "runs" / name


def nothing(name: str) -> None:
    """No screenshot."""


def test_a_visit(tab: Any, serve: Callable[..., str], tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces")
    save_network(tiny_eg3d(), tmp_path / "head")
    train(f"facegen train data=folder data.root={faces}", "every", tmp_path)
    address = serve(f"open=[{faces},{tmp_path / 'head'},{tmp_path / 'runs'}]")

    dragged = visit.filter_by_dragging(tab, address, nothing)
    found = visit.search(tab, "quality > 0.3", nothing)
    assert 0 < found < dragged < COUNT
    visit.rate(tab, [5, 1, 3], nothing)
    rated = Ratings(described_folder(faces) / FILE).current()
    assert sorted(rated.values()) == [0, 0.5, 1]

    command = visit.save_recipe(tab, "visited", nothing)
    run = train(command, "visited", tmp_path)
    assert len(checkpoint_files(run)) == 1
    (source,) = yaml.safe_load((run / "config.yaml").read_text())["data"]["root"]
    chosen = Recipe(source)
    assert chosen.num_faces == found and (chosen.rows["quality"].to_numpy() > 0.3).all()

    before, after = visit.turn_head(tab, address, nothing)
    assert before != after
    settings = visit.compare_runs(tab, address, nothing)
    assert "every" in settings and "visited" in settings and str(faces) in settings
