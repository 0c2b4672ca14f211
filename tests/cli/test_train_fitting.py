"""The words that switch fitting in training on, and what is said of those that do not go together."""

import json
from pathlib import Path
from typing import Any

import pytest

from facegen.callbacks.fitting import Fitting
from facegen.cli.study import resolved
from facegen.cli.train import FITTING_KIMG, _fitting
from facegen.evaluation.estimator import MorphableEstimator
from facegen.study.identity import training_hash
from tests.models.test_resume import train
from tests.models.tiny import COMMON, OWN, overrides, photographs
from tests.morphable.test_regressor import small_export, small_regressor

WORDS = ["fitting.every_kimg=0.008", "fitting.num_faces=4", "total_kimg=0.016"]
BASE = [f"{key}={value}" for key, value in {**OWN["eg3d"], **COMMON, "data.root": "photos"}.items()]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    def small_estimator(**names: Any) -> MorphableEstimator:
        return MorphableEstimator(small_regressor())

    monkeypatch.setattr("facegen.evaluation.estimator.estimator_of", small_estimator)


def callbacks(*words: str) -> list[Fitting]:
    return _fitting(resolved("train", [*BASE, *words])["fitting"], Path("run"), 1.0)


@pytest.mark.usefixtures("small")
def test_a_regressor_switches_it_on_at_the_default_schedule() -> None:
    assert callbacks() == []
    (default,) = callbacks("fitting.regressor=folder")
    assert default.every == FITTING_KIMG * 1000 and default.num_faces == 64
    (other,) = callbacks("fitting.regressor=folder", "fitting.every_kimg=0.5", "fitting.num_faces=8")
    assert other.every == 500 and other.num_faces == 8
    assert callbacks("fitting.regressor=folder", "fitting.every_kimg=null") == []


@pytest.mark.usefixtures("small")
def test_a_schedule_without_eyes_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"fitting\.regressor=FOLDER or fitting\.detector=dlib"):
        callbacks("fitting.every_kimg=2")
    with pytest.raises(ValueError, match="got 'often', expected auto"):
        callbacks("fitting.regressor=folder", "fitting.every_kimg=often")


def test_fitting_makes_no_other_training_and_the_loss_does() -> None:
    plain = training_hash(resolved("train", BASE), None)
    assert training_hash(resolved("train", [*BASE, "fitting.regressor=folder"]), None) == plain
    assert training_hash(resolved("train", [*BASE, "model.consistency.regressor=folder"]), None) != plain


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "fitting.jsonl").read_text().splitlines()]


def test_two_processes_say_what_one_says(tmp_path: Path) -> None:
    photos, network = photographs(tmp_path / "photos"), small_export(tmp_path)
    common = overrides(photos, tmp_path / "runs", *WORDS, f"fitting.regressor={network}", kind="eg3d")
    for name, processes in (("one", 1), ("two", 2)):
        said = train([*common, f"name={name}", f"processes={processes}"])
        assert said.count("fits of generated faces") == 3
    one, two = (rows(tmp_path / "runs" / name) for name in ("one", "two"))
    assert [row["images_seen"] for row in one] == [row["images_seen"] for row in two] == [0, 0, 8, 16]
    for ours, theirs in zip(two, one, strict=True):
        assert ours["pose_degrees"] == pytest.approx(theirs["pose_degrees"], rel=1e-2)
