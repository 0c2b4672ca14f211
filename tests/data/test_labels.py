import json
from typing import Any

import numpy as np
import pytest

from facegen.data.labels import CAMERA_SIZE, IMPLAUSIBLE, Labels, camera_problem, read_labels
from tests.data.helpers import camera

NAMES = [f"00000/{number}.png" for number in range(4)]


def parse(labels: Any) -> Labels:
    found = read_labels(json.dumps({"labels": labels}).encode(), NAMES)
    assert found is not None
    return found


def good() -> list[list]:
    return [[name, camera(number)] for number, name in enumerate(NAMES)]


def test_cameras_follow_the_images_whatever_their_order() -> None:
    labels = parse(good()[::-1])
    assert labels.name == "camera" and not labels.problems
    np.testing.assert_allclose(labels.column.to_pylist(), [camera(i) for i in range(4)], rtol=1e-6, atol=1e-6)


def test_null_means_no_labels() -> None:
    assert read_labels(b'{"labels": null}', NAMES) is None


def test_class_numbers() -> None:
    labels = parse([[name, number % 2] for number, name in enumerate(NAMES)])
    assert labels.name == "label" and labels.column.to_pylist() == [0, 1, 0, 1] and not labels.problems


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"labels": 3}', b'{"labels": {"a.png": [1]}}', b"\xff\xfe"]
)
def test_malformed_files(text: bytes) -> None:
    labels = read_labels(text, NAMES)
    assert labels is not None and labels.column.null_count == len(NAMES)
    assert labels.problems[0].kind == "malformed labels"


NAN, INFINITE = float("nan"), float("inf")
BAD = [
    ([0.0] * 24, "got 24"),
    ([0.0] * 16, "got 16"),
    ([], "got 0"),
    ("x" * 25, "got str"),
    ({"a": 1}, "got dict"),
    (["1"] * 25, "not all"),
    ([10**400] * 25, "too large"),
    ([True] * 25, "not all"),
    ([*camera(0)[:3], NAN, *camera(0)[4:]], "NaN"),
    ([*camera(0)[:24], INFINITE], "NaN or infinity"),
    ([0.0] * 25, "0 0 0 1"),
    (np.array(camera(1))[:16].reshape(4, 4).T.ravel().tolist() + camera(1)[16:], "0 0 0 1"),
    ([2 * value if i in (0, 1, 2) else value for i, value in enumerate(camera(0))], "not a rotation"),
    ([-value if i in (0, 4, 8) else value for i, value in enumerate(camera(0))], "not a rotation"),
    ([-value if i == 16 else value for i, value in enumerate(camera(0))], "focal"),
]


@pytest.mark.parametrize(("label", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_malformed_cameras_are_named_and_null(label: Any, reason: str) -> None:
    labels = parse([*good()[:3], [NAMES[3], label]])
    (problem,) = labels.problems
    assert (problem.kind, problem.id) == ("malformed label", NAMES[3]) and reason in problem.detail
    assert labels.column.is_null().to_pylist() == [False, False, False, True]


def test_implausible_cameras_are_named_and_kept() -> None:
    opengl = (np.array(camera(3)) * ([1, -1, -1, 1] * 4 + [1] * 9)).tolist()
    labels = parse([good()[0], [NAMES[1], opengl], good()[2], [NAMES[3], [0.0] * 25]])
    found = {(problem.kind, problem.id): problem.detail for problem in labels.problems}
    assert found.keys() == {("malformed label", NAMES[3]), (IMPLAUSIBLE, NAMES[1])}
    assert "OpenGL" in found[IMPLAUSIBLE, NAMES[1]] and camera_problem(opengl) == found[IMPLAUSIBLE, NAMES[1]]
    assert labels.column.is_null().to_pylist() == [False, False, False, True]
    np.testing.assert_allclose(labels.column[1].as_py(), opengl, rtol=1e-6, atol=1e-6)


def test_good_cameras_pass() -> None:
    assert all(camera_problem(camera(seed)) is None for seed in range(20))
    assert camera_problem(np.zeros(CAMERA_SIZE)) is not None


@pytest.mark.parametrize("entry", [3, "x", [], ["a"], [1, 2], ["a", 1, 2], None])
def test_malformed_entries(entry: Any) -> None:
    labels = parse([*good(), entry])
    assert [problem.kind for problem in labels.problems] == ["malformed labels"]


def test_labels_and_images_that_do_not_fit() -> None:
    labels = parse([*good()[:3], ["other.png", camera(0)], good()[0]])
    kinds = {problem.kind: problem.id for problem in labels.problems}
    assert kinds == {"label without image": "other.png", "duplicate label": NAMES[0], "missing label": NAMES[3]}
    assert labels.column.is_null().to_pylist() == [False, False, False, True]


def test_contradicting_labels_are_no_label() -> None:
    labels = parse([*good(), [NAMES[0], camera(9)]])
    assert labels.column.is_null().to_pylist() == [True, False, False, False]


@pytest.mark.parametrize("value", [-1, 1.5, "2", None, [0]])
def test_malformed_classes(value: Any) -> None:
    labels = parse([[name, 1] for name in NAMES[:3]] + [[NAMES[3], value]])
    assert labels.column.to_pylist() == [1, 1, 1, None] and labels.problems[0].kind == "malformed label"
