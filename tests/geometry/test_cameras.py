"""Labels, look-at matrices and random cameras (parity: test_eg3d_cameras.py)."""

import math
from functools import partial

import pytest
import torch

from facegen.geometry import cameras
from facegen.geometry.projection import project
from tests.geometry.helpers import random_labels


def test_frontal_camera_sees_the_world_upright() -> None:
    pose = cameras.look_at(math.pi / 2, math.pi / 2)[0]
    expected = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]])
    torch.testing.assert_close(pose, expected, atol=1e-6, rtol=0)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"got shape \(3, 24\), expected \(N, 25\)"):
        cameras.theta_phi(torch.zeros(3, 24))
    with pytest.raises(ValueError, match=r"got matrices of shapes \(2, 3, 4\)"):
        cameras.label(torch.zeros(2, 3, 4), torch.eye(3))


@pytest.mark.parametrize("sampler", [cameras.gaussian, cameras.uniform])
@pytest.mark.parametrize("pivot", [None, (0.0, 0.1, 0.2)])
def test_random_cameras_lie_on_the_sphere_and_look_at_the_pivot(sampler, pivot) -> None:
    poses = sampler(1.4, 1.5, 0.3, 0.2, pivot, 3.0, 50)
    labels = cameras.label(poses, cameras.pinhole_intrinsics())
    torch.testing.assert_close(cameras.positions(labels).norm(dim=1), torch.full((50,), 3.0))
    seen = project(torch.tensor([pivot or (0.0, 0.0, 0.0)]), labels)
    torch.testing.assert_close(seen, torch.full((50, 1, 2), 0.5), atol=1e-5, rtol=0)
    assert len(poses.unique(dim=0)) == 50


def test_spread_is_what_was_asked_for() -> None:
    seeded = torch.Generator().manual_seed(0)
    poses = cameras.gaussian(1.3, 1.6, 0.3, 0.1, count=4000, randn=partial(torch.randn, generator=seeded))
    h, v = cameras.position_yaw_pitch(poses[:, :3, 3]).unbind(-1)
    found = torch.stack([h.mean(), h.std(), v.mean(), v.std()])
    torch.testing.assert_close(found, torch.tensor([1.3, 0.3, 1.6, 0.1]), atol=0.02, rtol=0)
    poses = cameras.uniform(1.3, 1.6, 0.3, 0.1, count=4000, rand=partial(torch.rand, generator=seeded))
    h, v = cameras.position_yaw_pitch(poses[:, :3, 3]).unbind(-1)
    bounds = torch.stack([h.min(), h.max(), v.min(), v.max()])
    torch.testing.assert_close(bounds, torch.tensor([1.0, 1.6, 1.5, 1.7]), atol=2e-3, rtol=0)


def test_a_seed_gives_the_same_cameras() -> None:
    def draw() -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        return cameras.gaussian(1.5, 1.5, 1.0, 9.0, count=8, randn=partial(torch.randn, generator=generator))

    assert torch.equal(draw(), draw()) and draw().isfinite().all()


def test_cameras_above_the_pole_are_clamped() -> None:
    below, above = cameras.look_at(1.0, torch.tensor([-1.0, 4.0])), cameras.look_at(1.0, torch.tensor([0.0, math.pi]))
    assert torch.equal(below, above) and below.isfinite().all()


def test_moving_onto_a_sphere_keeps_direction_and_rotation() -> None:
    poses, _ = cameras.split_label(random_labels(16))
    poses[:, :3, 3] *= torch.linspace(0.5, 2, 16)[:, None]
    moved = cameras.onto_sphere(poses, (0, 0.1, 0.2), 2.0)
    assert torch.equal(moved[:, :3, :3], poses[:, :3, :3])
    centre = torch.tensor([0, 0.1, 0.2], dtype=torch.float64)
    before, after = poses[:, :3, 3] - centre, moved[:, :3, 3] - centre
    torch.testing.assert_close(after, 2 * torch.nn.functional.normalize(before, dim=1))


def test_an_orbiting_camera_sees_the_centre_in_the_middle() -> None:
    poses, _ = cameras.split_label(random_labels(16))
    labels = cameras.label(cameras.orbit(poses[:, :3, :3], (0.1, 0, 0), 3.0), cameras.pinhole_intrinsics())
    seen = project(torch.tensor([[0.1, 0.0, 0.0]], dtype=torch.float64), labels)
    torch.testing.assert_close(seen, torch.full_like(seen, 0.5))
