"""Adherence in training: when, what is written, that it goes on after a stop, and that training does not notice."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from facegen.callbacks import Checkpoints, StopAtKimg
from facegen.callbacks.adherence import Adherence, sheet
from facegen.checkpoint import checkpoint_files, save_network
from facegen.cli import main
from facegen.cli.adherence import adherence_callbacks
from facegen.data.datamodule import FaceDataModule
from facegen.data.recipe import Recipe
from facegen.evaluation.adherence import measure
from facegen.evaluation.adherence_sides import Judges
from tests.callbacks.test_fitting import Recorder
from tests.evaluation.toy_faces import JUDGES, SIDE, Colours, Painter, toy_dataset, toy_folder
from tests.models.tiny import diffusion_overrides, tiny_latent_diffusion, tiny_model
from tests.morphable.test_regressor import small_export

CAMERA = {"camera": {"kind": "numbers", "size": 25, "form": "vector"}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy") / "faces")


def train(root: Path, folder: Path, total: float, watch: bool = True, resume: Any = None, recorder: Any = None) -> Any:
    torch.manual_seed(1)
    model = tiny_latent_diffusion(conditions=CAMERA, batch_size=4, cache_latents=False)
    data = FaceDataModule(Recipe(root, SIDE, labels=True), batch_size=4, workers=0)
    folder.mkdir(exist_ok=True)
    watching = Adherence(folder, total, 0.008, JUDGES, toy_dataset(root), num_faces=4, batch_size=3)
    callbacks = [StopAtKimg(total), *([watching] if watch else []), Checkpoints(folder, total, 0.008, keep=9)]
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=-1, callbacks=callbacks, logger=recorder or False, default_root_dir=folder,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
    return model


def rows(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "adherence.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Recorder]:
    """A run of 16 images with looks at 0, 8 and 16."""
    folder, recorder = tmp_path_factory.mktemp("runs") / "run", Recorder()
    return folder, train(root, folder, 0.016, recorder=recorder), recorder


def test_rows_lines_and_pictures_come_on_schedule(run: tuple[Path, Any, Recorder]) -> None:
    folder, _, recorder = run
    found = rows(folder)
    assert [(row["images_seen"], row["pictures"]) for row in found] == [
        (0, "real"), (0, "generated"), (8, "generated"), (16, "generated"),
    ]  # fmt: skip
    names = {"mask_iou", "chance/mask_iou", "pose_degrees", "chance/pose_degrees", "landmarks_interocular"}
    names |= {"render_difference", "identity_error", "light_correlation", "sketch_f1", "chance/sketch_f1"}
    assert all(names <= row.keys() for row in found)
    assert found[0]["sketch_f1"] == 1 and found[0]["pose_degrees"] < 0.01, "judges of real pictures"
    assert found[1]["pose_degrees"] > 1
    log = (folder / "log.txt").read_text()
    assert log.count("adherence of generated faces (chance)") == 3 and log.count("adherence of real faces") == 1
    names = sorted(path.name for path in (folder / "adherence").iterdir())
    assert names == ["00000.000.png", "00000.008.png", "00000.016.png", "real.png"]
    assert recorder.metrics[16]["adherence/pose_degrees"] == found[-1]["pose_degrees"] and len(recorder.images) == 3
    assert recorder.metrics[0]["adherence_real/sketch_f1"] == 1


def test_training_does_not_notice(run: tuple[Path, Any, Recorder], root: Path, tmp_path: Path) -> None:
    plain = train(root, tmp_path / "plain", 0.016, watch=False)
    for name, tensor in run[1].state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


def test_a_resumed_run_has_the_rows_of_an_unbroken_one(
    run: tuple[Path, Any, Recorder], root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train(root, folder, 0.016)
    train(root, folder, 0.016, resume=checkpoint_files(folder)[0])
    assert rows(folder) == rows(run[0])


def test_the_sheet_shows_both_sides(root: Path) -> None:
    shown = measure(Painter("mask"), toy_dataset(root), [0, 1, 2], JUDGES).shown
    picture = sheet(shown, JUDGES, 2)
    assert picture.shape == (2 * SIDE, 8 * SIDE, 3), "picture, hint, sample, two masks, fit, two sets of edges"
    parts = [picture[SIDE:, column * SIDE : (column + 1) * SIDE] for column in range(8)]
    assert (parts[0] == shown.batch.images[1].permute(1, 2, 0).numpy()).all()
    assert (parts[1] == parts[3]).all() and (parts[3] == parts[4]).all() and (parts[5] != parts[3]).any()


def test_mistakes_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every_kimg: got 0"):
        Adherence(tmp_path, 1, 0, JUDGES)
    with pytest.raises(ValueError, match="num_faces: got 1"):
        Adherence(tmp_path, 1, 1, JUDGES, num_faces=1)
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(dataset=toy_dataset(root)), is_global_zero=True)
    with pytest.raises(ValueError, match="expected a diffusion model"):
        Adherence(tmp_path, 1, 1, JUDGES).on_train_start(trainer, tiny_model())
    with pytest.raises(ValueError, match="in their order"):
        model = tiny_latent_diffusion()
        Adherence(tmp_path, 1, 1, Judges(Colours("mask"))).on_train_start(trainer, model)


def test_the_command_line_names_judges(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = diffusion_overrides(root, tmp_path / "runs", "name=run", "total_kimg=0.004", "data.mirror=false")
    words += [
        f"adherence.regressor={small_export(tmp_path)}",
        "adherence.num_faces=3",
        "data.conditions=[coefficients]",
    ]
    assert main(["train", *words]) == 0
    found = rows(tmp_path / "runs/run")
    assert [row["images_seen"] for row in found] == [0, 0, 4] and {"pose_degrees", "identity_error"} <= found[0].keys()
    capsys.readouterr()
    parser = save_network(Colours("mask"), tmp_path / "parser")
    for more, message in (
        (
            f"adherence.parser={tmp_path / 'network'}",
            "holds a ReconstructionNetwork, expected a network of model=parser",
        ),
        ("adherence.every_kimg=often", "adherence.every_kimg: got 'often', expected auto or thousand images"),
        (f"adherence.parser={parser}", "checkpoint"),
    ):
        assert main(["train", *words, "name=other", more]) == 2
        assert message in capsys.readouterr().err


def test_nothing_is_watched_unless_judges_are_named(tmp_path: Path) -> None:
    own = {"every_kimg": "auto", "parser": None, "regressor": None}
    assert adherence_callbacks({"adherence": own}, tmp_path) == []
    assert adherence_callbacks({"adherence": {**own, "every_kimg": None, "parser": "x"}}, tmp_path) == []
