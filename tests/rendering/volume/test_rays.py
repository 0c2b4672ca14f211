"""Rays through pixels, and where they cross a cube."""

import math

import pytest
import torch

from facegen.geometry import cameras
from facegen.rendering.volume import Rays, box_intersection, camera_rays


def _frontal(h: float = math.pi / 2, v: float = math.pi / 2) -> torch.Tensor:
    return cameras.look_at(h, v, (0.0, 0.0, 0.0), 2.7)


@pytest.mark.parametrize(("h", "v"), [(1.2, 1.4), (math.pi / 2, math.pi / 2), (2.5, 1.9)])
def test_the_middle_ray_meets_what_the_camera_looks_at(h, v):
    rays = camera_rays(_frontal(h, v), cameras.pinhole_intrinsics()[None], 5)
    seen = rays.origins + 2.7 * rays.directions
    torch.testing.assert_close(seen[:, 12], torch.zeros(1, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(1, 25))


def test_pixels_go_right_and_then_down():
    cam2world = torch.eye(4)[None]  # x right, y down, looking along z
    directions = camera_rays(cam2world, torch.tensor([[[2.0, 0, 0.5], [0, 4.0, 0.5], [0, 0, 1]]]), 2).directions[0]
    x, y = directions[:, 0] / directions[:, 2], directions[:, 1] / directions[:, 2]
    torch.testing.assert_close(x, torch.tensor([-0.125, 0.125, -0.125, 0.125]))
    torch.testing.assert_close(y, torch.tensor([-0.0625, -0.0625, 0.0625, 0.0625]))


def test_pixels_project_back_to_where_they_came_from():
    """Points on the rays, projected with the intrinsics (with skew and another centre), are the pixels' centres."""
    intrinsics = torch.tensor([[[3.1, 0.2, 0.45], [0, 2.7, 0.6], [0, 0, 1]]])
    cam2world = _frontal(1.1, 1.8)
    rays = camera_rays(cam2world, intrinsics, 6)
    points = rays.origins + 1.3 * rays.directions
    homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
    seen = (torch.linalg.inv(cam2world) @ homogeneous.mT)[:, :3]
    uv = (intrinsics @ seen).mT
    centres = (torch.arange(6) + 0.5) / 6
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    torch.testing.assert_close(uv[0, :, :2] / uv[0, :, 2:], torch.stack([u, v], dim=-1).reshape(-1, 2))


@pytest.mark.parametrize(
    ("origin", "direction", "near", "far"),
    [
        ((0, 0, -2), (0, 0, 1), 1.5, 2.5),  # straight through
        ((0.3, -0.4, -2), (0, 0, 1), 1.5, 2.5),
        ((0, 0, 2), (0, 0, 1), -2.5, -1.5),  # looking away: behind the origin
        ((0, 0, 0), (0, 1, 0), -0.5, 0.5),  # from inside
        ((-1, -1, -1), (3**-0.5,) * 3, 0.5 * 3**0.5, 1.5 * 3**0.5),  # from corner to corner
        ((2, 0, -2), (0, 0, 1), -1, -2),  # beside it
        ((-2, 0, 0), (0.6, 0.8, 0), -1, -2),
    ],
)
def test_box_intersection(origin, direction, near, far):
    rays = Rays(*(torch.tensor([[value]], dtype=torch.float32) for value in (origin, direction)))
    found = box_intersection(rays, 1.0)
    torch.testing.assert_close(found[0].item(), float(near), atol=1e-6, rtol=0)
    torch.testing.assert_close(found[1].item(), float(far), atol=1e-6, rtol=0)


def test_crossings_lie_on_the_box():
    generator = torch.Generator().manual_seed(0)
    origins = torch.randn(1, 200, 3, generator=generator)
    directions = torch.nn.functional.normalize(torch.randn(1, 200, 3, generator=generator), dim=-1)
    near, far = box_intersection(Rays(origins, directions), 1.6)
    hit = (far > near)[..., 0]
    assert 20 < hit.sum() < 180
    for distance in (near, far):
        reach = (origins + distance * directions).abs().amax(dim=-1)
        torch.testing.assert_close(reach[hit], torch.full_like(reach[hit], 0.8))
