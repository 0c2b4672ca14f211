"""The comparison in W&B and TensorBoard, read back from what they wrote."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.study.conftest import Done
from tests.study.wandb_file import history, records

pytest.importorskip("wandb")
event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def run_file(folder: Path) -> Path:
    (found,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    return found


def media(done: Done) -> dict[str, Path]:
    """Logged files by key: `FID3D/main/more` and so on, all of which exist."""
    file = run_file(done.folder)
    found = {key.removesuffix("/path"): value for key, value in history(file).items() if key.endswith("/path")}
    paths = {key: file.parent / "files" / value for key, value in found.items()}
    assert all(path.is_file() for path in paths.values())
    return paths


def test_wandb_holds_the_group_the_tables_and_the_matrix(done: Done) -> None:
    runs = [record.run for record in records(run_file(done.folder)) if record.HasField("run")]
    assert {(run.run_group, run.project, run.job_type) for run in runs} == {("tiny", "facegen", "study")}
    paths = media(done)
    results = json.loads((done.folder / "results.json").read_text())
    matrix = json.loads(paths["FID3D/main/more"].read_text())
    assert matrix["columns"] == ["told", "ffhq", "large"]
    assert [row[0] for row in matrix["data"]] == ["average", "ffhq", "large", "same"]
    figures = {each["name"]: each for each in results["comparisons"]["main"] if each["metric"] == "fid3d"}
    assert matrix["data"][1][2] == figures["ffhq->large"]["runs"]["more"]["mean"]
    differences = json.loads(paths["differences"].read_text())
    assert len(differences["data"]) == len(results["comparisons"]["main"])
    assert differences["columns"][-1] == "verdict"
    assert len(json.loads(paths["figures"].read_text())["data"]) == 4 * len(results["comparisons"]["main"])


def test_wandb_holds_grids_films_and_artifacts(done: Done) -> None:
    paths = media(done)
    for kind in ("samples", "poses", "turntable"):
        for run in ("little", "more"):
            drawn = next((done.folder / "pictures").glob(f"{run}-s0-{kind}-*"))
            file = drawn / ("video.mp4" if kind == "turntable" else "grid.png")
            assert paths[f"{kind}/{run}"].read_bytes() == file.read_bytes()
    artifacts = {
        record.artifact.name: [entry.path for entry in record.artifact.manifest.contents]
        for record in records(run_file(done.folder))
        if record.HasField("artifact")
    }
    assert artifacts["tiny-results"] == ["results.json"] and artifacts["tiny-report"] == ["report.html"]


def test_trainings_are_told_the_group(done: Done) -> None:
    for job in (job for job in done.jobs if job.words[0] == "train"):
        assert {"wandb=offline", "wandb_group=tiny", "tensorboard=true"} <= set(job.words)


def test_tensorboard_holds_scalars_pictures_and_verdicts(done: Done) -> None:
    (folder,) = (done.folder / "tensorboard").iterdir()
    events: Any = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    results = json.loads((done.folder / "results.json").read_text())
    figure = next(each for each in results["comparisons"]["main"] if each["name"] == "same large")
    (scalar,) = events.Scalars("main/fid3d same large/more")
    assert scalar.value == pytest.approx(figure["runs"]["more"]["mean"], rel=1e-6) and scalar.step == 8
    assert {"samples/little", "samples/more", "poses/little", "poses/more"} <= set(events.Tags()["images"])
    assert "verdicts/more/text_summary" in events.Tags()["tensors"]
