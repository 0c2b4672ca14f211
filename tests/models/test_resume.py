"""A run that is killed, in a step and while it writes a checkpoint, ends as if nothing had happened."""

import json
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegen.checkpoint import checkpoint_files, load, read_checkpoint, save_network
from tests.models.tiny import camera_labels, overrides, photographs
from tests.programs import start

CLOCKS = {"time", "sec/tick", "sec/kimg", "cpu_mem_gb", "gpu_mem_gb"}

KILL_IN_STEP = """
import os, signal
from facegen.models import AdversarialTraining as A
guard = A.guard_gradients
def killing(self, phase, *args, **kwargs):
    if self.images_seen == 28 and phase.name == "Dmain":
        os.kill(os.getpid(), signal.SIGKILL)
    return guard(self, phase, *args, **kwargs)
A.guard_gradients = killing
"""
KILL_IN_WRITE = """
import os, signal, torch
save = torch.save
def killing(checkpoint, path, *args, **kwargs):
    if checkpoint["facegen"]["images_seen"] == 32:
        with open(path, "wb") as file:
            file.write(b"half a checkpoint")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    return save(checkpoint, path, *args, **kwargs)
torch.save = killing
"""
INTERRUPT = """
import os, signal
from facegen.models import AdversarialTraining as A
step = A.training_step
def interrupting(self, *args):
    if self.images_seen == 20:
        os.kill(os.getpid(), signal.SIGINT)
    return step(self, *args)
A.training_step = interrupting
"""


def train(words: list[str], sabotage: str = "", expect: int = 0) -> str:
    with tempfile.NamedTemporaryFile("r") as log:
        program = start(["train", *words], Path(log.name), sabotage=sabotage)
        program.join(300)
        said = log.read()
    assert program.exitcode == expect, said
    return said


def figures(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in CLOCKS} for row in rows]


def assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), where
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            assert_same(ours[key], theirs[key], f"{where}/{key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{where}/{index}")
    else:
        assert ours == theirs, where


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module", params=["stylegan2", "eg3d"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def words(photos: Path, kind: str) -> Callable[..., list[str]]:
    """Words after `facegen train` for a run of this kind in a folder."""
    return lambda runs, *more: overrides(photos, runs, *more, kind=kind)


@pytest.fixture(scope="module")
def unbroken(words: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("unbroken")
    train(words(runs, "name=run"))
    return runs / "run"


def assert_same_run(run: Path, unbroken: Path) -> None:
    assert figures(run) == figures(unbroken)
    ours, theirs = (read_checkpoint(checkpoint_files(folder)[-1]) for folder in (run, unbroken))
    for key in ("state_dict", "optimizer_states", "facegen"):
        assert_same(ours[key], theirs[key], key)


def test_unbroken_run_leaves_what_people_expect(unbroken: Path, kind: str) -> None:
    names = {path.name for path in unbroken.iterdir()}
    assert {"config.yaml", "log.txt", "metrics.jsonl", "reals.png", "samples", "checkpoints"} <= names
    rows = figures(unbroken)
    assert [row["images_seen"] for row in rows] == [8, 16, 24, 32, 40, 48]
    own = {"stylegan2": "loss/pl_penalty", "eg3d": "loss/density_reg"}[kind]
    assert {"loss/G/loss", "loss/D/loss", own, "loss/r1_penalty", "grad_norm/Gmain"} <= rows[0].keys()
    pictures = {path.name for path in (unbroken / "samples").iterdir()}
    assert "00000.000.png" in pictures and ("00000.000_depths.png" in pictures) == (kind == "eg3d")
    generator: Any = load(unbroken)
    out = generator(torch.zeros(1, generator.z_dim), camera_labels(1)[:, : generator.c_dim], noise_mode="const")
    assert getattr(out, "image", out).shape == (1, 3, 16, 16)
    if kind == "eg3d":
        assert out.image_raw.shape[-1] == 10 and generator.plane_axes == "xy_xz_zy"


def test_export_is_the_generator_of_the_run(unbroken: Path, tmp_path: Path) -> None:
    ours: Any = load(save_network(load(unbroken), tmp_path))
    theirs: Any = load(unbroken)
    assert ours.init_kwargs == theirs.init_kwargs
    assert_same(dict(ours.state_dict()), dict(theirs.state_dict()))


def test_killed_in_a_step_and_in_a_write(words: Any, unbroken: Path, tmp_path: Path) -> None:
    command = words(tmp_path, "name=run", "resume=auto")
    train(command, KILL_IN_STEP, expect=-signal.SIGKILL)
    assert [path.stem for path in checkpoint_files(tmp_path / "run")] == ["00000.016"]
    train(command, KILL_IN_WRITE, expect=-signal.SIGKILL)
    assert [path.stem for path in checkpoint_files(tmp_path / "run")] == ["00000.016"]
    assert figures(tmp_path / "run")[-1]["images_seen"] == 32, "the row of the lost step must have been written"
    train(command)
    assert_same_run(tmp_path / "run", unbroken)
    assert not list((tmp_path / "run" / "checkpoints").glob(".*")), "leftovers of the killed write"


def test_ctrl_c_saves_and_resumes_between_ticks(words: Any, unbroken: Path, tmp_path: Path) -> None:
    command = words(tmp_path, "name=run", "resume=auto", "tick_kimg=0.016")
    output = train(command, INTERRUPT)
    assert "resume=auto continues" in output
    assert checkpoint_files(tmp_path / "run")[-1].stem == "00000.024"
    train(command)
    ours, theirs = (read_checkpoint(checkpoint_files(run)[-1]) for run in (tmp_path / "run", unbroken))
    assert_same(ours["state_dict"], theirs["state_dict"])
    assert [row["images_seen"] for row in figures(tmp_path / "run")] == [16, 32, 48]


def test_resume_refuses_another_configuration(words: Any, unbroken: Path) -> None:
    resumed = words(unbroken.parent, "name=run", "resume=auto")
    assert "finetune_from" in train([*resumed, "model.r1_gamma=5.0"], expect=2)
    assert "data=" in train([*resumed, "data.mirror=false"], expect=2)
    assert "resume=auto" in train(words(unbroken.parent, "name=run"), expect=2)


def test_finetuning_takes_the_weights_and_nothing_else(words: Any, kind: str, unbroken: Path, tmp_path: Path) -> None:
    fine = words(tmp_path, f"finetune_from={unbroken}", "total_kimg=0.004", "tick_kimg=0.004")
    still = "1e-30" if kind == "stylegan2" else "[1e-30,1e-30]"
    train([*fine, "name=fine", f"model.learning_rate={still}"])
    ours, theirs = (read_checkpoint(checkpoint_files(run)[-1]) for run in (tmp_path / "fine", unbroken))
    assert ours["facegen"]["images_seen"] == 4
    for name, weights in ours["state_dict"].items():
        if name.startswith("discriminator."):
            assert_same(weights, theirs["state_dict"][name], name)
    assert "does not fit" in train([*fine, "name=wide", "model.generator.w_dim=32"], expect=2)
    if kind == "eg3d":
        assert "xy_xz_zy" in train([*fine, "name=axes", "model.generator.plane_axes=xy_xz_zx"], expect=2)


def test_two_processes_train_like_one(words: Any, unbroken: Path, tmp_path: Path) -> None:
    train(words(tmp_path, "name=run", "processes=2", "total_kimg=0.016"))
    for ours, theirs in zip(figures(tmp_path / "run"), figures(unbroken), strict=False):
        assert ours["images_seen"] == theirs["images_seen"]
        for key in ("loss/G/loss", "loss/D/loss", "loss/scores/real"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3, abs=1e-4), key
