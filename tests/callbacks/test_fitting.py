"""Fitting in training: when, what is written, that it goes on after a stop, and that training does not notice."""

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import Logger
from PIL import Image

from facegen.callbacks import Checkpoints, StopAtKimg
from facegen.callbacks.fitting import Fitting, overlay
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.data.datamodule import FaceDataModule
from facegen.evaluation.agreement import Faces
from facegen.evaluation.estimator import MorphableEstimator
from tests.models.tiny import camera_labels, photographs, tiny_eg3d, tiny_model
from tests.morphable.test_regressor import small_regressor


class Recorder(Logger):
    """A logger that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: dict[int, dict[str, float]] = {}
        self.images: list[str] = []

    @property
    def name(self) -> str:
        return "recorder"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics.setdefault(step or 0, {}).update(metrics)

    def log_image(self, key: str, images: list[str], step: int) -> None:
        self.images += images


class Drawing(MorphableEstimator):
    """An estimator that draws random numbers, as a detector may."""

    def look(self, images: torch.Tensor, batch_size: int = 16) -> Any:
        torch.rand(3)
        return super().look(images, batch_size)


def fitting(folder: Path, total: float, every: float = 0.016) -> Fitting:
    return Fitting(folder, total, every, Drawing(small_regressor()), num_faces=4, batch_size=3)


def train(folder: Path, total: float, fit: bool = True, resume: Path | None = None, recorder: Any = None) -> Any:
    torch.manual_seed(1)
    model = tiny_eg3d(8)
    torch.manual_seed(7)
    data = FaceDataModule.from_root(
        str(photographs(folder.parent / "photos")), 16, labels=True, batch_size=8, workers=0
    )
    folder.mkdir(exist_ok=True)
    callbacks = [
        StopAtKimg(total),
        *([fitting(folder, total)] if fit else []),
        Checkpoints(folder, total, 0.016, keep=9),
    ]
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=-1, callbacks=callbacks, logger=recorder or False, default_root_dir=folder,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
    return model


def rows(folder: Path, of: str = "generated") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "fitting.jsonl").read_text().splitlines()]
    return [row for row in found if row["pictures"] == of]


def figures(folder: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows(folder)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Recorder]:
    """A run of 48 images with fits at 0, 16, 32 and 48."""
    folder, recorder = tmp_path_factory.mktemp("runs") / "run", Recorder()
    return folder, train(folder, 0.048, recorder=recorder), recorder


def test_rows_lines_and_pictures_come_on_schedule(run: tuple[Path, Any, Recorder]) -> None:
    folder, _, recorder = run
    assert [row["images_seen"] for row in rows(folder)] == [0, 16, 32, 48]
    names = {"pose_degrees", "pose_degrees_p90", "pose_offset_degrees", "pose", "depth", "reprojection_pixels"}
    names |= {"reprojection_interocular", "identity_coefficients", "identity_coefficients_ratio", "failed", "seconds"}
    assert all(names <= row.keys() for row in rows(folder))
    (real,) = rows(folder, "real")
    assert real["images_seen"] == 0 and {"pose_degrees", "most_residual"} <= real.keys()
    assert (folder / "log.txt").read_text().count("fits of generated faces") == 4
    grids = sorted(path.name for path in (folder / "fits").iterdir())
    assert grids == ["00000.000.png", "00000.016.png", "00000.032.png", "00000.048.png"]
    assert Image.open(folder / "fits/00000.048.png").size == (8 * 16, 4 * 16)
    assert recorder.metrics[48]["geometry/pose_degrees"] == rows(folder)[-1]["pose_degrees"]
    assert recorder.metrics[0]["geometry_real/pose_degrees"] == real["pose_degrees"] and len(recorder.images) == 4


def test_training_does_not_notice(run: tuple[Path, Any, Recorder], tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", 0.048, fit=False)
    for name, tensor in run[1].state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


def test_a_resumed_run_has_the_rows_of_an_unbroken_one(run: tuple[Path, Any, Recorder], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(folder, 0.032)
    first = checkpoint_files(folder)[0]
    assert len(rows(folder)) == 3 and first.stem == "00000.016"
    state = next(s for name, s in read_checkpoint(first)["callbacks"].items() if name.startswith("Fitting"))
    assert state == {"most_residual": rows(folder, "real")[0]["most_residual"]}
    train(folder, 0.048, resume=first)
    assert figures(folder) == figures(run[0]) and len(rows(folder, "real")) == 1


def test_the_grid_has_a_row_for_each_face() -> None:
    images = torch.randint(0, 256, (10, 3, 16, 16), dtype=torch.uint8)
    faces = Faces(images, torch.rand(10, 1, 8, 8) + 2, camera_labels(10))
    sight = MorphableEstimator(small_regressor()).look(images)
    picture = overlay(faces, sight, count=3)
    assert picture.shape == (3 * 16, 8 * 16, 3)
    assert (picture[:16, :16] == images[0].permute(1, 2, 0).numpy()).all()
    assert (picture[16:32, 64:80] == images[6].permute(1, 2, 0).numpy()).all(), "second view of the second face"
    missed = sight._replace(mask=torch.zeros_like(sight.mask), depth=torch.zeros_like(sight.depth))
    assert overlay(faces, missed, 1).shape == (16, 128, 3)


def test_mistakes_are_named(tmp_path: Path) -> None:
    estimator = MorphableEstimator(small_regressor())
    with pytest.raises(ValueError, match="every_kimg: got 0"):
        Fitting(tmp_path, 1, 0, estimator)
    with pytest.raises(ValueError, match="num_faces: got 1"):
        Fitting(tmp_path, 1, 1, estimator, num_faces=1)
    trainer: Any = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ValueError, match="generator of images"):
        trainer.datamodule = None
        fitting(tmp_path, 1).on_train_start(trainer, tiny_model())
