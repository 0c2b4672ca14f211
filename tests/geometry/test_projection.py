import math

import pytest
import torch

from facegen.geometry.cameras import label, look_at, mirror, pinhole_intrinsics
from facegen.geometry.projection import project, world_to_camera, world_to_clip


def some_labels() -> torch.Tensor:
    h, v = torch.tensor([1.2, math.pi / 2, 2.4]), torch.tensor([1.5, math.pi / 2, 1.8])
    return label(look_at(h, v), pinhole_intrinsics())


def test_pivot_falls_on_the_middle_of_the_image() -> None:
    uv = project(torch.tensor([[0.0, 0.0, 0.2]]), some_labels())
    torch.testing.assert_close(uv, torch.full_like(uv, 0.5), atol=1e-5, rtol=0)


def test_right_is_right_and_up_is_up() -> None:
    uv = project(torch.tensor([[0.1, 0.2, 0.0]]), some_labels()[1:2])[0, 0]
    torch.testing.assert_close(uv, torch.tensor([0.5 + 4.2647 * 0.1 / 2.7, 0.5 - 4.2647 * 0.2 / 2.7]))


def test_clip_space_agrees_with_projection() -> None:
    labels = some_labels()
    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(1)) * 0.3
    clip = torch.cat([points, torch.ones(20, 1)], dim=1) @ world_to_clip(labels).mT
    ndc = clip[..., :3] / clip[..., 3:]
    uv = torch.stack([(ndc[..., 0] + 1) / 2, (1 - ndc[..., 1]) / 2], dim=-1)
    torch.testing.assert_close(uv, project(points, labels), atol=1e-5, rtol=0)
    depth = (points @ world_to_camera(labels)[:, 2, :3, None]).squeeze(-1) + world_to_camera(labels)[:, 2, None, 3]
    torch.testing.assert_close(clip[..., 3], depth)
    assert (ndc[..., 2].abs() < 1).all()


def test_mirrored_camera_sees_mirrored_points() -> None:
    labels = some_labels()
    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(2)) * 0.3
    uv, flipped = project(points, labels), project(points * torch.tensor([-1.0, 1.0, 1.0]), mirror(labels))
    torch.testing.assert_close(flipped[..., 0], 1 - uv[..., 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(flipped[..., 1], uv[..., 1], atol=1e-5, rtol=0)


def test_near_beyond_far_is_refused() -> None:
    with pytest.raises(ValueError, match="got near=3, far=2"):
        world_to_clip(some_labels(), near=3, far=2)
