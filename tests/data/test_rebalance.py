"""The published rules for repeating faces: by hand, and their continuous version."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from facegen.data.rebalance import (
    copies,
    importance,
    label_yaw,
    rare,
    reference_names,
    stylegan_repeats,
    write_name_list,
    yaw_arc_copies,
)
from facegen.geometry.cameras import label, look_at, mirror, pinhole_intrinsics, positions


def test_copies_by_hand() -> None:
    rule = {
        7.0: 1, 0.24: 1, 0.17: 1, 0.16: 2, 0.12: 2, 0.096: 2, 0.09: 3, 0.06: 4, 0.04: 4,
        0.03: 4, 0.0299: 5, 0.02: 5, 0.0199: 6, 1e-9: 6, 0.0: 6,
    }  # fmt: skip
    repeats = copies(np.array(list(rule)))
    assert repeats.dtype == np.int64
    assert dict(zip(rule, repeats.tolist(), strict=True)) == rule


def test_importance_is_the_rule_without_jumps() -> None:
    density = np.geomspace(1e-4, 10, 20_001)
    weights, repeats = importance(density), copies(density)
    assert weights.min() == 1 and weights.max() == 6
    assert (np.diff(weights) <= 0).all()
    assert np.abs(np.diff(weights)).max() < 0.005
    assert np.abs(weights - repeats)[density >= 0.06].max() <= 0.5 + 1e-9
    assert np.abs(weights - repeats).max() < 1 + 1e-9
    assert importance(np.array([0.06, 0.03, 0.02])) == pytest.approx([4, 5, 6])


def test_strength_of_importance() -> None:
    density = np.array([0.0, 0.01, 0.1, 0.2, 1.0])
    assert np.array_equal(importance(density, 0), np.ones(5))
    np.testing.assert_allclose(importance(density, 0.5) ** 2, importance(density))


def test_rare_is_below_the_threshold() -> None:
    assert rare(np.array([0.39, 0.4, 0.41])).tolist() == [True, False, False]
    assert rare(np.array([0.39, 0.4]), threshold=0.1).tolist() == [False, False]


def test_yaw_arcs_by_hand() -> None:
    yaw = np.array([0.05, -0.05, 0.15, -0.35, 0.55, -0.75, 0.9, -0.9])  # arcs of 0.2
    assert yaw_arc_copies(yaw).tolist() == [1, 1, 2, 4, 8, 16, 16, 16]
    assert yaw_arc_copies(yaw, arcs=3).tolist() == [1, 1, 1, 2, 2, 2, 2, 2]  # arcs of 0.6
    assert yaw_arc_copies(np.zeros(3)).tolist() == [1, 1, 1]
    assert yaw_arc_copies(np.empty(0)).tolist() == []


def test_yaw_of_labels_is_where_a_level_camera_stands() -> None:
    yaw = torch.linspace(-1.2, 1.2, 9, dtype=torch.float64)
    poses = look_at(math.pi / 2 - yaw, torch.full_like(yaw, math.pi / 2))
    labels = label(poses.double(), pinhole_intrinsics().double())
    np.testing.assert_allclose(label_yaw(labels.numpy()), _yaw_of(positions(labels).numpy()), atol=1e-6)
    np.testing.assert_allclose(label_yaw(mirror(labels).numpy()), -label_yaw(labels.numpy()), atol=1e-12)


def _yaw_of(position: np.ndarray) -> np.ndarray:
    """Yaw about the point (0, 0, 0.2) that `look_at` looks at."""
    backward = position - [0, 0, 0.2]
    return np.arcsin(backward[:, 0] / np.linalg.norm(backward, axis=1))


def test_names_repeat_in_order(tmp_path: Path) -> None:
    names = reference_names([1, 0, 2], first=999)
    assert names == ["00000/img00000999.png", "00001/img00001001.png", "00001/img00001001.png"]
    write_name_list(tmp_path / "list.json", names)
    text = (tmp_path / "list.json").read_bytes().decode()
    assert json.loads(text) == names
    assert text.startswith('[\n "00000/img00000999.png",\n "') and text.endswith('"\n]')


def test_stylegan_list_repeats_only_what_is_not_ffhq() -> None:
    repeats = np.array([6, 6, 5, 5, 2, 9, 3, 9])  # two images of FFHQ and two others, each with its mirror
    assert stylegan_repeats(repeats, mirrored=4, plain=3).tolist() == [1, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: copies(np.array([0.1, -0.1])), "density: got -0.1, expected numbers from 0"),
        (lambda: copies(np.array([0.1, math.nan])), r"density: got shape \(2,\), 1 not finite"),
        (lambda: importance(np.ones((2, 2))), r"density: got shape \(2, 2\)"),
        (lambda: importance(np.ones(2), -1), "strength: got -1, expected"),
        (lambda: importance(np.ones(2), math.nan), "strength: got nan, expected"),
        (lambda: yaw_arc_copies(np.array([0.1, math.nan])), "yaw: got shape"),
        (lambda: yaw_arc_copies(np.ones(2), arcs=8), "arcs: got 8, expected an odd number"),
        (lambda: label_yaw(np.ones((3, 16))), r"camera labels: got shape \(3, 16\), expected \(N, 25\)"),
        (lambda: stylegan_repeats(np.ones(5)), "got 5, expected at least the 139914"),
    ],
)
def test_what_cannot_be_answered(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
