"""Rendering fields that are known: spheres, empty space; and in any number of parts."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegen.geometry import cameras
from facegen.rendering.volume import Field, Rays, VolumeOptions, camera_rays, render, renderer

OPTIONS = VolumeOptions(depth_resolution=12, depth_resolution_importance=12)


def _rays(resolution: int = 9) -> Rays:
    """Two cameras about the origin."""
    around = [cameras.look_at(h, v, (0.0, 0.0, 0.0), 2.7) for h, v in [(math.pi / 2, math.pi / 2), (1.1, 1.3)]]
    return camera_rays(torch.cat(around), cameras.pinhole_intrinsics().expand(2, 3, 3), resolution)


def _sphere(points: Tensor, radius: float = 0.3) -> Field:
    """Solid, of one colour."""
    inside = points.norm(dim=-1, keepdim=True) < radius
    color = torch.tensor([0.25, 0.5, 1.0]).expand_as(points)
    return Field(color, torch.where(inside, 1e4, -1e4))


def _distance(rays: Rays, radius: float = 0.3) -> Tensor:
    """Distance to the sphere, NaN where a ray misses it."""
    along = -(rays.origins * rays.directions).sum(-1, keepdim=True)
    square = radius**2 - (rays.origins.square().sum(-1, keepdim=True) - along.square())
    return along - square.sqrt()


class _Soft(nn.Module):
    """A smooth field with parameters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Sequential(nn.Linear(3, 16), nn.Softplus(beta=5), nn.Linear(16, 5))
        self.most = 0

    def forward(self, points: Tensor) -> Field:
        self.most = max(self.most, points.shape[:2].numel())
        out = self.net(points * 4)
        return Field(out[..., 1:].sigmoid(), out[..., :1] * 8)


def _seeded() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(4)
    return {
        name: lambda shape, device=None, make=make: make(shape, generator=generator)
        for name, make in (("rand", torch.rand), ("randn", torch.randn))
    }


@pytest.mark.parametrize("auto", [False, True])
def test_a_solid_sphere(auto):
    rays = _rays(33)
    limits: dict[str, Any] = {"ray_start": "auto", "ray_end": "auto"} if auto else {"ray_start": 2.2, "ray_end": 3.2}
    options = VolumeOptions(depth_resolution=64, depth_resolution_importance=64, **limits)
    seen = render(_sphere, rays, options)
    distance = _distance(rays)
    grazing = _distance(rays, 0.28).isnan() & ~_distance(rays, 0.32).isnan()
    hit, miss = ~distance.isnan() & ~grazing, distance.isnan() & ~grazing
    assert hit.sum() > 100 and miss.sum() > 100
    assert (seen.depth - distance)[hit].abs().max() < 1.05 * 1.75 / 63  # a coarse spacing, of the diagonal for auto
    assert (seen.opacity[hit] > 0.999).all()
    assert not seen.opacity[miss].any()
    on_color = seen.features[hit[..., 0]]
    torch.testing.assert_close(on_color, torch.tensor([-0.5, 0.0, 1.0]).expand_as(on_color), atol=1e-3, rtol=0)
    assert (seen.features[miss[..., 0]] == -1).all()


def test_importance_samples_sharpen_the_depth():
    rays = _rays(17)
    errors = []
    for fine in (0, 48):
        options = VolumeOptions(ray_start=2.2, ray_end=3.2, depth_resolution=24, depth_resolution_importance=fine)
        difference = (render(_sphere, rays, options, **_seeded()).depth - _distance(rays)).abs()
        errors.append(difference[~_distance(rays, 0.28).isnan()].mean())
    assert errors[1] < errors[0] / 3


def test_a_white_background():
    options = VolumeOptions(depth_resolution=8, depth_resolution_importance=0, white_back=True)
    seen = render(lambda points: Field(points * 0, points[..., :1] * 0 - 1e4), _rays(3), options)
    assert (seen.features == 1).all()
    assert not seen.opacity.any()


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        VolumeOptions(depth_resolution=12, depth_resolution_importance=0),
        VolumeOptions(ray_start="auto", ray_end="auto", depth_resolution=6, depth_resolution_importance=5),
        VolumeOptions(depth_resolution=7, depth_resolution_importance=9, density_noise=0.5, white_back=True),
    ],
)
class TestChunks:
    """The result does not depend on how many rays are rendered at a time."""

    @torch.no_grad()
    def test_without_gradients(self, options):
        field, rays = _Soft(), _rays()
        whole = render(field, rays, options, **_seeded(), chunk=81)
        for chunk in (None, 1, 7, 80, 1000):
            parts = render(field, rays, options, **_seeded(), chunk=chunk)
            for got, expected in zip(parts, whole, strict=True):
                torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)

    def test_with_gradients(self, options):
        found = []
        for chunk in (None, 7, 81):
            field, rays = _Soft(), _rays()
            seen = render(field, rays, options, **_seeded(), chunk=chunk)
            scalar = seen.features.square().sum() + seen.depth.sum() + seen.opacity.sum()
            found.append([scalar.detach(), *torch.autograd.grad(scalar, list(field.parameters()))])
        for other in found[1:]:
            torch.testing.assert_close(other, found[0], atol=1e-3, rtol=1e-5)
        assert all(grad.abs().max() > 0.1 for grad in found[0])


def test_chunks_bound_what_is_asked_at_once(monkeypatch):
    field, rays = _Soft(), _rays()
    render(field, rays, OPTIONS, chunk=5)
    assert field.most == 2 * 5 * 12
    monkeypatch.setitem(renderer._POINTS_AT_ONCE, "cpu", 200)
    field.most = 0
    with torch.no_grad():
        render(field, rays, OPTIONS)
    assert 0 < field.most <= 200


def test_random_numbers_can_be_given():
    first, again = (render(_Soft(), _rays(), OPTIONS, **_seeded()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    other = render(_Soft(), _rays(), OPTIONS)
    assert not torch.equal(first.features, other.features)


def test_options_are_taken_from_the_published_settings():
    settings = {"depth_resolution": 9, "box_warp": 1.6, "white_back": True, "c_scale": 1, "gpc_reg_prob": 0.5}
    options = VolumeOptions.of(settings)
    assert (options.depth_resolution, options.box_warp, options.white_back) == (9, 1.6, True)
    assert options.ray_start == 2.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clamp_mode": "relu"}, "clamp_mode: got 'relu', expected softplus"),
        ({"ray_start": "auto"}, "got 'auto' and 3.3, expected two distances or auto for both"),
        ({"ray_end": "auto"}, "expected two distances or auto for both"),
        ({"depth_resolution": 1}, "got depth_resolution=1"),
        ({"depth_resolution_importance": -1}, "depth_resolution_importance=-1"),
        ({"box_warp": 0.0}, "box_warp=0.0"),
    ],
)
def test_options_that_mean_nothing(change, message):
    with pytest.raises(ValueError, match=message):
        VolumeOptions(**change)
