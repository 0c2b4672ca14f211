"""study.yaml: what is read, and one line for every mistake in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from facegen.study import read_study
from facegen.study.definition import Evaluated
from facegen.study.reading import words_of


def write(folder: Path, **changes: Any) -> Path:
    content = {"question": "Which?", "runs": {"a": {"overrides": ["x=1"]}, "b": {"from": "a"}}, **changes}
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def test_everything_has_its_default(tmp_path: Path) -> None:
    study = read_study(write(tmp_path))
    assert (study.question, study.seeds, study.train, study.pictures) == ("Which?", (0,), (), None)
    assert study.runs["b"].start == "a" and study.runs["b"].title == "b"
    assert (study.runs["a"].against, study.runs["b"].against) == (None, "a")
    assert study.name == tmp_path.name and read_study(tmp_path / "study.yaml") == study


def test_words_are_lists_or_text(tmp_path: Path) -> None:
    evaluate = {"one": "metrics=[fid,kid] 'names=[a, b]'", "two": {"runs": ["b"], "overrides": ["metrics=[fid]"]}}
    study = read_study(write(tmp_path, evaluate=evaluate))
    assert study.evaluate["one"] == Evaluated(("metrics=[fid,kid]", "names=[a, b]"), ("a", "b"))
    assert study.evaluate["two"] == Evaluated(("metrics=[fid]",), ("b",))
    assert words_of(None, "x") == ()


def test_baseline_of_a_run_may_be_another_than_the_first(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, runs={"a": {}, "b": {}, "c": {"against": "b"}, "d": {"against": None}}))
    assert [run.against for run in study.runs.values()] == [None, "a", "b", None]


@pytest.mark.parametrize(
    ("seeds", "count"),
    [("0-7", 8), ("5", 1), ("0,3,10-12", 5), (3, 1)],
)
def test_pictures_count_their_faces(tmp_path: Path, seeds: Any, count: int) -> None:
    pictures = read_study(write(tmp_path, pictures={"seeds": seeds, "poses": True})).pictures
    assert pictures is not None and (pictures.num_faces, pictures.poses, pictures.turntable) == (count, True, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": None}, "question: got None, expected text"),
        ({"question": ""}, "question is missing"),
        ({"runs": {}}, "runs is missing"),
        ({"run": {}}, "run: a study has no such key, expected one of: .*did you mean runs?"),
        ({"runs": {"a": {"override": []}}}, "runs.a.override: a study has no such key.*did you mean overrides?"),
        ({"runs": {"a": {}, "b": {"from": "c"}}}, "runs.b.from: got 'c', expected one of: a"),
        ({"runs": {"a": {}, "b": {"against": "d"}}}, "runs.b.against: got 'd', expected one of: a"),
        ({"runs": {"a": {"from": "b"}, "b": {"from": "a"}}}, "runs.a.from: got a loop, a from b from a"),
        ({"runs": {"a-b": {}}}, "runs: got the name 'a-b', expected letters, digits and _"),
        ({"runs": {"a": {"overrides": "model"}}}, "runs.a.overrides: got 'model', expected a list of KEY=VALUE|got "),
        ({"train": ["seed=3"]}, "train: got 'seed=3', but the study gives seed itself"),
        ({"train": {"seed": 3}}, "train: got .*expected a list of KEY=VALUE"),
        ({"seeds": [0, 0]}, "seeds: got .*different whole numbers"),
        ({"seeds": "many"}, "seeds: got .*whole numbers"),
        ({"evaluate": {"fid": {"runs": ["z"]}}}, "evaluate.fid.runs: got 'z', expected one of: a, b"),
        ({"pictures": {"seeds": "0-99"}}, "pictures.seeds: got '0-99', expected up to 64"),
        ({"pictures": {"poses": "yes please"}}, "pictures.poses: got 'yes please', expected true or false"),
    ],
)
def test_mistakes_name_the_file_and_the_place(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        read_study(write(tmp_path, **changes))
    assert str(tmp_path / "study.yaml") in str(raised.value) and "\n" not in str(raised.value)


def test_broken_yaml_and_missing_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a folder with study.yaml"):
        read_study(tmp_path)
    (tmp_path / "study.yaml").write_text("question: x\nevaluate: {a: [metrics=[fid,kid], x=1]}\n")
    with pytest.raises(ValueError, match=r"not readable YAML .* need their own line") as raised:
        read_study(tmp_path)
    assert "\n" not in str(raised.value)
