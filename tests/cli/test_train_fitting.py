"""The words that switch fitting in training on, and what is said of those that do not go together."""

from pathlib import Path
from typing import Any

import pytest

from facegen.callbacks.fitting import Fitting
from facegen.cli.study import resolved
from facegen.cli.train import FITTING_KIMG, _fitting
from facegen.evaluation.estimator import MorphableEstimator
from facegen.study.identity import training_hash
from tests.models.tiny import COMMON, OWN
from tests.morphable.test_regressor import small_regressor

BASE = [f"{key}={value}" for key, value in {**OWN["eg3d"], **COMMON, "data.root": "photos"}.items()]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    def small_estimator(**names: Any) -> MorphableEstimator:
        return MorphableEstimator(small_regressor())

    monkeypatch.setattr("facegen.evaluation.estimator.estimator_of", small_estimator)


def callbacks(*words: str) -> list[Fitting]:
    return _fitting(resolved("train", [*BASE, *words])["fitting"], Path("run"), 1.0)


def test_a_regressor_switches_it_on_at_the_default_schedule() -> None:
    assert callbacks() == []
    (default,) = callbacks("fitting.regressor=folder")
    assert default.every == FITTING_KIMG * 1000 and default.num_faces == 64
    (other,) = callbacks("fitting.regressor=folder", "fitting.every_kimg=0.5", "fitting.num_faces=8")
    assert other.every == 500 and other.num_faces == 8
    assert callbacks("fitting.regressor=folder", "fitting.every_kimg=null") == []


def test_a_schedule_without_eyes_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"fitting\.regressor=FOLDER or fitting\.detector=dlib"):
        callbacks("fitting.every_kimg=2")
    with pytest.raises(ValueError, match="got 'often', expected auto"):
        callbacks("fitting.regressor=folder", "fitting.every_kimg=often")


def test_fitting_makes_no_other_training_and_the_loss_does() -> None:
    plain = training_hash(resolved("train", BASE), None)
    assert training_hash(resolved("train", [*BASE, "fitting.regressor=folder"]), None) == plain
    assert training_hash(resolved("train", [*BASE, "model.consistency.regressor=folder"]), None) != plain
