"""What makes a training or an evaluation another one, and what does not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from facegen.cli.study import resolved
from facegen.study import read_study
from facegen.study.identity import evaluation_key, training_hash
from facegen.study.plan import Training, check_pictures, trainings
from tests.models.tiny import COMMON, OWN

BASE = [f"{key}={value}" for key, value in {**OWN["stylegan2"], **COMMON, "data.root": "photos"}.items()]


def hash_of(*more: str) -> str:
    return training_hash(resolved("train", [*BASE, *more]), None)


def test_technical_settings_are_no_other_training() -> None:
    logs = ["wandb=offline", "wandb_group=z", "tensorboard=true", "keep_checkpoints=9"]
    machine = ["name=x", "runs_dir=y", "threads=3", "workers=5", "device=gpu", "resume=auto", "data.cache=false"]
    watching = ["adherence.parser=p", "adherence.num_faces=3", "held_out={root: other}"]
    technical = [*logs, *machine, *watching, "datasets.root=/d"]
    assert hash_of(*technical) == hash_of()


@pytest.mark.parametrize(
    "word", ["seed=1", "total_kimg=1", "model.r1_gamma=3", "data.mirror=false", "precision=bf16-mixed", "tick_kimg=1"]
)
def test_settings_that_change_the_result_are(word: str) -> None:
    assert hash_of(word) != hash_of()


def test_evaluation_knows_its_checkpoint_and_settings() -> None:
    settings = {"num_images": 5, "device": "cpu", "out": "a", "data": {"root": "x", "workers": 2, "batch_size": 3}}
    key = evaluation_key(settings, "sha")
    same = {**settings, "device": "cuda", "out": "b", "data": {"root": "x", "workers": 9, "batch_size": 1}}
    assert evaluation_key(same, "sha") == key
    assert evaluation_key(settings, "other") != key and evaluation_key({**settings, "num_images": 6}, "sha") != key
    assert evaluation_key({**settings, "data": {"root": "y"}}, "sha") != key


def planned(folder: Path, runs: dict[str, Any]) -> dict[str, Training]:
    (folder / "study.yaml").write_text(yaml.safe_dump({"question": "?", "train": BASE, "runs": runs}, sort_keys=False))
    return {each.run.name: each for each in trainings(read_study(folder), resolved, [0])}


def test_a_run_is_another_one_when_its_parent_is(tmp_path: Path) -> None:
    last = {"from": "first", "overrides": ["total_kimg=0.008"]}
    before = planned(tmp_path, {"last": last, "first": {}})
    after = planned(tmp_path, {"last": last, "first": {"overrides": ["model.r1_gamma=9"]}})
    assert before["first"].hash != after["first"].hash and before["last"].hash != after["last"].hash
    assert f"finetune_from={before['first'].folder}" in before["last"].words
    assert before["last"].start is before["first"]
    assert not before["first"].finished and before["first"].total_images == 48


def test_hash_does_not_depend_on_where_the_study_is(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    runs = {"first": {}, "last": {"from": "first"}}
    here, there = planned(tmp_path, runs), planned(tmp_path / "other", runs)
    assert [each.hash for each in here.values()] == [each.hash for each in there.values()]


def test_wrong_settings_are_named_with_their_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"run second: model.r1_gama: .*did you mean model.r1_gamma\?"):
        planned(tmp_path, {"first": {}, "second": {"overrides": ["model.r1_gama=1"]}})
    with pytest.raises(ValueError, match="run b: got finetune_from=x besides `from`"):
        planned(tmp_path, {"a": {}, "b": {"from": "a", "overrides": ["finetune_from=x"]}})


def test_turntables_need_three_dimensions(tmp_path: Path) -> None:
    every = list(planned(tmp_path, {"flat": {}}).values())
    text = yaml.safe_dump({"question": "?", "train": BASE, "runs": {"flat": {}}, "pictures": {"turntable": True}})
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(ValueError, match="run flat has a generator of images"):
        check_pictures(read_study(tmp_path), every)
