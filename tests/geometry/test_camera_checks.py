"""The validator: published labels pass, and each usual mistake is recognised."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.data.poses import POSES, random_label
from facegen.geometry import cameras
from facegen.geometry.camera_checks import Findings, check_labels
from tests.geometry.helpers import random_labels
from tests.geometry.reference import numeric, reference_file

FLIP_YZ = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
CLEAN = Findings({}, {})


def turned_labels(count: int = 32) -> Tensor:
    """Labels from the side and above or below: seen from in front, from the side only or from above only, a pose is
    (nearly) its own inverse, and nobody can tell."""
    labels = random_labels(40 * count)
    x, y, _ = cameras.positions(labels).abs().unbind(-1)
    return labels[(x > 0.8) & (y > 0.8)][:count]


def with_pose(labels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    poses, intrinsics = cameras.split_label(labels)
    return cameras.label(change(poses), intrinsics)


def test_sampled_labels_pass() -> None:
    assert check_labels(random_labels(200)) == CLEAN
    assert check_labels(cameras.mirror(random_labels(200)).float()) == CLEAN
    for h, v in ((0.0, 1.5), (math.pi, 1.5), (-math.pi / 2, 1.5), (1.5, 0.0), (1.5, math.pi)):  # around, above, below
        assert check_labels(cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())) == CLEAN


@pytest.mark.parametrize("poses", POSES)
def test_synthetic_labels_pass(poses: str) -> None:
    rng = np.random.default_rng(0)
    assert check_labels(np.stack([random_label(poses, rng) for _ in range(300)])) == CLEAN


@pytest.mark.parity
@pytest.mark.skipif(not reference_file("golden3d/07_ffhq_kde.npz").exists(), reason="no golden3d")
def test_all_of_ffhq_passes() -> None:
    arrays = numeric(reference_file("golden3d/07_ffhq_kde.npz"))
    position = cameras.theta_phi_position(torch.stack([arrays["theta"], arrays["phi"]], dim=1))
    assert check_labels(cameras.label(cameras.look_from(position), cameras.pinhole_intrinsics())) == CLEAN


@pytest.mark.parity
@pytest.mark.skipif(not reference_file("golden3d/05_cameras.npz").exists(), reason="no golden3d")
def test_reconstructed_labels_pass() -> None:
    arrays = numeric(reference_file("golden3d/05_cameras.npz"))
    labels = [values for values in arrays.values() if values.shape[1:] == (cameras.LABEL_SIZE,)]
    poses = [arrays[name] for name in arrays if name.startswith(("eg3d", "lpff")) and arrays[name].shape[1:] == (4, 4)]
    assert len(labels) > 3 and len(poses) > 2
    for values in [*labels, *(cameras.label(pose, cameras.pinhole_intrinsics()) for pose in poses)]:
        assert check_labels(values) == CLEAN


@pytest.mark.parity
@pytest.mark.skipif(not reference_file("golden/eg3d").exists(), reason="no golden numbers")
def test_labels_of_the_reference_networks_pass() -> None:
    seen = 0
    for path in sorted(reference_file("golden/eg3d").glob("*.npz")):
        for name, values in numeric(path).items():
            is_camera = values.ndim == 2 and values.shape[1] == cameras.LABEL_SIZE and (values[:, 15] == 1).all()
            if is_camera and "noise" not in name:  # noise on labels is meant to spoil them
                assert check_labels(values) == CLEAN, f"{path.name} {name}"
                seen += len(values)
    assert seen > 10


MALFORMED = {
    "nan": (lambda x: x.index_fill(1, torch.tensor([5]), math.nan), "NaN"),
    "infinite": (lambda x: x.index_fill(1, torch.tensor([20]), math.inf), "NaN or infinity"),
    "zeros": (torch.zeros_like, "0 0 0 1"),
    "column-major": (lambda x: with_pose(x, lambda pose: pose.mT), "0 0 0 1"),
    "scaled": (lambda x: with_pose(x, lambda pose: pose * torch.tensor([2.0, 2, 2, 1])), "columns of length 2 2 2"),
    "left-handed": (lambda x: with_pose(x, lambda pose: pose * torch.tensor([-1.0, 1, 1, 1])), "left-handed"),
    "focal": (lambda x: x.index_fill(1, torch.tensor([16]), -4.0), "positive"),
    "enormous": (lambda x: x.index_fill(1, torch.tensor([5]), 1e200), "not a rotation"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_labels(name: str) -> None:
    change, words = MALFORMED[name]
    found = check_labels(change(random_labels(8)))
    assert list(found.malformed) == list(range(8)) and not found.implausible
    assert all(words in text for text in found.malformed.values())


def transposed_rotation(poses: Tensor) -> Tensor:
    changed = poses.clone()
    changed[:, :3, :3] = poses[:, :3, :3].mT
    return changed


def moved(scale: float) -> Callable[[Tensor], Tensor]:
    return lambda poses: torch.cat([poses[..., :3], poses[..., 3:] * torch.tensor([scale] * 3 + [1.0])[:, None]], -1)


def intrinsics(*numbers: float) -> Callable[[Tensor], Tensor]:
    return lambda labels: torch.cat([labels[:, :16], torch.tensor([numbers]).to(labels).expand(len(labels), 9)], 1)


def turned_by(angle: float) -> Callable[[Tensor], Tensor]:
    """The camera turned about its own y axis."""
    turn = torch.eye(4, dtype=torch.float64)
    turn[0, 0] = turn[2, 2] = math.cos(angle)
    turn[0, 2], turn[2, 0] = math.sin(angle), -math.sin(angle)
    return lambda poses: poses @ turn


IMPLAUSIBLE = {
    "world-to-camera": (lambda x: with_pose(x, torch.linalg.inv), "world-to-camera instead of camera-to-world"),
    "opengl": (lambda x: with_pose(x, lambda pose: pose * FLIP_YZ), "OpenGL's axes (y up, z backward)"),
    "opengl view": (lambda x: with_pose(x, lambda p: torch.linalg.inv(p * FLIP_YZ)), "OpenGL's view matrix"),
    "transposed": (lambda x: with_pose(x, transposed_rotation), "rotation transposed"),
    "world y down": (lambda x: with_pose(x, lambda pose: FLIP_YZ[:, None] * pose), "world's y down"),
    "upside down": (lambda x: with_pose(x, lambda pose: pose * torch.tensor([-1.0, -1, 1, 1])), "upside down"),
    "elsewhere": (lambda x: with_pose(x, turned_by(0.3)), "does not look at the face, whose middle falls on"),
    "away": (lambda x: with_pose(x, turned_by(math.pi)), "behind the camera"),
    "inside": (lambda x: with_pose(x, moved(0.0)), "inside the head"),
    "millimetres": (lambda x: with_pose(x, moved(100.0)), "the camera is 270 from the world's origin"),
    "near": (lambda x: with_pose(x, moved(0.5)), "the camera is 1.35 from the world's origin"),
    "pixels": (intrinsics(2985.29, 0, 512, 0, 2985.29, 512, 0, 0, 1), "2985 2985, principal point 512 512: pixels?"),
    "half pixels": (intrinsics(4.2647, 0, 256, 0, 4.2647, 256, 0, 0, 1), "pixels?"),
    "no centre": (intrinsics(4.2647, 0, 1.5, 0, 4.2647, 0.5, 0, 0, 1), "principal point 1.5 0.5 is outside"),
    "column-major intrinsics": (intrinsics(4.2647, 0, 0, 0, 4.2647, 0, 0.5, 0.5, 1), "expected the order fx skew cx"),
}


@pytest.mark.parametrize("name", IMPLAUSIBLE)
def test_implausible_labels(name: str) -> None:
    change, words = IMPLAUSIBLE[name]
    found = check_labels(change(turned_labels()))
    assert not found.malformed and list(found.implausible) == list(range(32))
    assert all(words in text for text in found.implausible.values()), set(found.implausible.values())


def test_each_row_has_its_own_finding() -> None:
    labels = random_labels(6)
    labels[1, 3] = math.nan
    labels[4, [3, 7, 11]] *= 3
    found = check_labels(labels.numpy())
    assert (found.malformed.keys(), found.implausible.keys()) == ({1}, {4})


def test_gradients_and_empty_tables_are_no_obstacle() -> None:
    assert check_labels(random_labels(2).requires_grad_()) == check_labels(np.zeros((0, 25))) == CLEAN
    with pytest.raises(ValueError, match=r"got shape \(25,\), expected \(N, 25\)"):
        check_labels(np.zeros(25))
