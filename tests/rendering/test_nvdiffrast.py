"""The adapter against a stand-in with nvdiffrast's conventions; on a GPU, both backends against each other."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.rendering import antialias, interpolate, nvdiffrast_backend, rasterize
from facegen.rendering.definitions import barycentric_at, visible_triangles
from tests.rendering.scenes import ellipsoid, seen_from_front


def scene(device: str = "cpu") -> tuple[Tensor, Tensor]:
    points, triangles = ellipsoid(9, 12)
    points = points + torch.tensor([0.013, 0.2, 0])
    clip = torch.stack([seen_from_front(points), seen_from_front(points.flip(-1).contiguous())])
    return clip.float().to(device), triangles.to(device)


class StandIn(ModuleType):
    """`nvdiffrast.torch` on a CPU: rows from the bottom; (u, v, z/w, triangle + 1); ranges of triangles per image."""

    def RasterizeCudaContext(self, device: Any) -> str:
        return "context"

    def rasterize(self, context: str, pos: Tensor, tri: Tensor, resolution: list[int], ranges: Any, grad_db: bool):
        assert context == "context" and pos.is_contiguous() and tri.dtype == torch.int32 and tri.is_contiguous()
        upwards = torch.tensor([1.0, -1, 1, 1])  # our row 0 is at y = 1, its row 0 at y = -1
        if ranges is None:
            ids = visible_triangles(pos * upwards, tri, (resolution[0], resolution[1]))
            b, depth = barycentric_at(pos * upwards, tri, ids)
        else:
            assert ranges.dtype == torch.int32 and ranges.device.type == "cpu" and pos.ndim == 2
            images = [tri[first : first + count] for first, count in ranges.tolist()]
            ids = torch.cat(
                [visible_triangles(pos[None] * upwards, own, (resolution[0], resolution[1])) for own in images]
            )
            b = torch.cat(
                [barycentric_at(pos[None] * upwards, own, i[None])[0] for own, i in zip(images, ids, strict=True)]
            )
            ids = torch.where(ids >= 0, ids + ranges[:, :1, None], -1)
            depth = torch.zeros_like(b[..., 0])
        return torch.cat([b[..., :2], depth[..., None], ids[..., None] + 1.0], dim=-1), None

    def interpolate(self, attr: Tensor, rast: Tensor, tri: Tensor) -> tuple[Tensor, None]:
        assert attr.ndim == 3 and rast.shape[-1] == 4
        corners = tri.long()[(rast[..., 3].long() - 1).clamp(min=0)]
        batch = torch.arange(len(rast))[:, None, None]
        p, q, r = (attr.expand(len(rast), -1, -1)[batch, corners[..., k]] for k in range(3))
        u, v = rast[..., :1], rast[..., 1:2]
        return (u * p + v * q + (1 - u - v) * r) * (rast[..., 3:] > 0), None

    def antialias(self, color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> Tensor:
        """Not its blending: one number that moves with what it should be given."""
        assert color.is_contiguous() and rast.shape == (*color.shape[:3], 4) and tri.dtype == torch.int32
        seen = rast[..., 3:] > 0
        lowest = pos[..., 1].amin(dim=1)[:, None, None, None]  # of mirrored vertices: the highest
        return torch.where(seen, color * lowest, color)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    package, module = ModuleType("nvdiffrast"), StandIn("nvdiffrast.torch")
    package.torch = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nvdiffrast", package)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", module)
    nvdiffrast_backend._context.cache_clear()
    return module


@pytest.mark.parametrize("cull", [False, True])
def test_conventions_are_translated(stand_in: StandIn, cull: bool) -> None:
    clip, triangles = scene()
    if cull:
        triangles = triangles.flip(-1)  # what is seen is then the inner side of the far half
    expected = rasterize(clip, triangles, (40, 32), cull=cull)
    seen = nvdiffrast_backend.rasterize(clip, triangles, (40, 32), cull)
    assert (seen.triangle_id != expected.triangle_id).sum() <= 2 and (seen.triangle_id >= 0).sum() > 300
    same = seen.triangle_id == expected.triangle_id
    torch.testing.assert_close(seen.barycentric[same], expected.barycentric[same], atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.depth[same], expected.depth[same], atol=1e-5, rtol=0)
    for colors in (torch.rand(2, clip.shape[1], 3), torch.rand(clip.shape[1], 3)):
        ours, theirs = interpolate(colors, seen, triangles), nvdiffrast_backend.interpolate(colors, seen, triangles)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_blending_is_handed_on(stand_in: StandIn) -> None:
    clip, triangles = scene()
    clip.requires_grad_()
    seen, images = rasterize(clip.detach(), triangles, 30), torch.rand(2, 30, 30, 3)
    blended = nvdiffrast_backend.antialias(images, seen, clip, triangles)
    highest = clip[..., 1].amax(dim=1)[:, None, None, None]
    torch.testing.assert_close(blended, torch.where(seen.triangle_id[..., None] >= 0, -images * highest, images))
    assert torch.autograd.grad(blended.sum(), clip)[0].abs().sum() > 0


def test_asked_for_and_missing() -> None:
    clip, triangles = scene()
    with pytest.raises(ValueError, match=r"got torch.float32 on cpu, nvdiffrast expects torch.float32 on CUDA"):
        rasterize(clip, triangles, 8, backend="nvdiffrast")
    with pytest.raises(ValueError, match="got backend 'gl', expected one of 'auto', 'cpu', 'nvdiffrast'"):
        interpolate(clip, rasterize(clip, triangles, 8), triangles, backend="gl")  # pyright: ignore[reportArgumentType]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["cpu", "nvdiffrast"])
def test_gpu_equals_cpu(backend: Any) -> None:
    """ "cpu" is our own path for CUDA tensors: triangles are searched for on the CPU, all else is done on the GPU."""
    if backend == "nvdiffrast":
        pytest.importorskip("nvdiffrast.torch")
    results = []
    for device in ("cpu", "cuda"):
        clip, triangles = scene(device)
        clip.requires_grad_()
        seen = rasterize(clip, triangles, 128, backend if device == "cuda" else "cpu", cull=True)
        image = antialias(interpolate(clip, seen, triangles), seen, clip, triangles)
        gradient = torch.autograd.grad(image.square().sum(), clip)[0]
        results.append([x.detach().cpu() for x in (seen.triangle_id, seen.barycentric, image, gradient)])
    (ids, weights, image, gradient), (gpu_ids, gpu_weights, gpu_image, gpu_gradient) = results
    same = ids == gpu_ids
    boundary = (ids >= 0) != (gpu_ids >= 0)
    print(f"{backend}: {int((~same).sum())} pixels see another triangle, {int(boundary.sum())} differ in coverage")
    assert (~same).float().mean() < 5e-3 and boundary.float().mean() < 1e-3
    torch.testing.assert_close(gpu_weights[same], weights[same], atol=1e-3, rtol=0)
    assert (gpu_image - image).abs().mean() < 1e-3 * image.abs().mean()
    assert (gpu_gradient - gradient).norm() < (1e-3 if backend == "cpu" else 0.05) * gradient.norm()
