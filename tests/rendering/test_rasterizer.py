import math

import numpy as np
import pytest
import torch

from facegen.rendering import antialias, interpolate, rasterize
from facegen.rendering.definitions import barycentric_at, visible_triangles
from facegen.rendering.normals import vertex_normals as differentiable_normals
from facegen.rendering.rasterizer import rasterize_numpy
from tests.rendering.scenes import ellipsoid, plane, random_scene, seen_from_front


def brute_force(clip: np.ndarray, triangles: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve for the point of each triangle on each pixel's ray: corners.T @ weights = (x, y, 1) with clip w = 1."""
    ids, weights = np.full((size, size), -1), np.zeros((size, size, 3))
    depth = np.ones((size, size))
    centre = (np.arange(size) + 0.5) / size * 2 - 1
    rays = np.stack(np.meshgrid(centre, -centre), axis=-1)
    rays = np.concatenate([rays, np.ones((size, size, 1))], axis=-1)
    for face, corners in enumerate(clip[triangles].astype(np.float64)):
        if abs(np.linalg.det(corners[:, [0, 1, 3]])) < 1e-12:
            continue
        solution = rays @ np.linalg.inv(corners[:, [0, 1, 3]])
        z = solution @ corners[:, 2]
        nearer = (solution >= 0).all(-1) & (np.abs(z) <= 1) & (z < depth - 1e-9)
        ids[nearer], depth[nearer] = face, z[nearer]
        weights[nearer] = (solution / solution.sum(-1, keepdims=True))[nearer]
    return ids, weights, depth


@pytest.mark.parametrize("seed", range(12))
def test_equals_brute_force_on_random_triangles(seed: int) -> None:
    clip, triangles = random_scene(seed)
    ids, weights, depth = brute_force(clip, triangles, 40)
    got_ids, got_weights, got_depth = rasterize_numpy(clip, triangles, (40, 40))
    same = got_ids == ids
    assert same.mean() > 0.999  # a pixel centre on an edge may fall to either side
    assert (ids >= 0).mean() > 0.05
    np.testing.assert_allclose(got_weights[same], weights[same], atol=1e-4)
    np.testing.assert_allclose(got_depth[same], depth[same], atol=1e-4)


def test_neighbours_leave_no_gap_and_interpolation_is_perspective_correct() -> None:
    clip, triangles = plane()
    seen = rasterize(clip, triangles, (48, 56))
    w = interpolate(clip[..., 3:], seen, triangles)[0, ..., 0]
    x = interpolate(clip[0, :, :1], seen, triangles)[0, ..., 0]
    inside = seen.triangle_id[0] >= 0
    hull = rasterize(clip, torch.tensor([[0, 5, 35], [0, 35, 30]]), (48, 56)).triangle_id[0] >= 0
    assert inside.sum() > 500 and torch.equal(inside, hull)
    ndc = ((torch.arange(56) + 0.5) / 56 * 2 - 1).expand(48, 56)
    torch.testing.assert_close((x / w.clamp(min=1e-6))[inside], ndc[inside], atol=1e-5, rtol=0)
    assert (w[~inside] == 0).all() and (seen.depth[0][~inside] == 1).all()


def test_top_row_is_up() -> None:
    triangle = torch.tensor([[[-1.0, 0.2, 0, 1], [1, 0.2, 0, 1], [0, 1, 0, 1]]])
    seen = rasterize(triangle, torch.tensor([[0, 1, 2]]), 16).triangle_id[0] >= 0
    assert seen[:6].any() and not seen[7:].any()


def test_culling_drops_the_clockwise_side() -> None:
    triangle = torch.tensor([[[-1.0, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]])
    for order, expected in (([0, 1, 2], True), ([0, 2, 1], False)):
        seen = rasterize(triangle, torch.tensor([order]), 8, cull=True).triangle_id >= 0
        assert seen.any() == expected


def test_batch_equals_single_images() -> None:
    scenes = [random_scene(seed) for seed in (3, 4, 5)]
    clip, triangles = torch.from_numpy(np.stack([scene[0] for scene in scenes])), torch.from_numpy(scenes[0][1])
    together = rasterize(clip, triangles, 32)
    for index in range(3):
        alone = rasterize(clip[index : index + 1], triangles, 32)
        for a, b in zip(alone, together, strict=True):
            assert torch.equal(a[0], b[index])


@pytest.mark.parametrize("cull", [False, True])
def test_equals_its_definition(cull: bool) -> None:
    scenes = [random_scene(seed) for seed in range(20, 30)]
    clip, triangles = torch.from_numpy(np.stack([scene[0] for scene in scenes])), torch.from_numpy(scenes[0][1])
    seen = rasterize(clip, triangles, (40, 30), cull=cull)
    ids = visible_triangles(clip, triangles, (40, 30), cull)
    assert (ids != seen.triangle_id).float().mean() < 1e-3  # a centre on an edge may fall to either side
    weights, depth = barycentric_at(clip.double(), triangles, seen.triangle_id)
    torch.testing.assert_close(seen.barycentric, weights.float(), atol=2e-5, rtol=0)
    torch.testing.assert_close(seen.depth, depth.float(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_equals_its_definition(dtype: torch.dtype) -> None:
    points, triangles = ellipsoid(7, 9)
    clip = torch.stack([seen_from_front(points), seen_from_front(points * 1.2)]).to(dtype).requires_grad_()
    seen = rasterize(clip, triangles, 33)
    torch.manual_seed(0)
    upstream = torch.randn_like(seen.barycentric), torch.randn_like(seen.depth)
    (ours,) = torch.autograd.grad(seen[1:], clip, upstream)
    expected = torch.autograd.grad(barycentric_at(clip, triangles, seen.triangle_id), clip, upstream)[0]
    limit = 1e-5 if dtype == torch.float32 else 1e-12
    assert (ours - expected).abs().max() <= limit * expected.abs().max()
    assert ours.dtype == seen.barycentric.dtype == dtype and ours.abs().max() > 1


def test_gradient_equals_finite_differences() -> None:
    clip, triangles = plane(3)

    def hit(vertices: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return rasterize(vertices, triangles, 5)[1:]

    torch.manual_seed(0)
    moved = (clip.double() + 0.01 * torch.randn(clip.shape, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(hit, moved, eps=1e-7, atol=1e-6)


def test_threads_do_not_change_a_bit() -> None:
    points, triangles = ellipsoid(40, 60)
    clip = torch.stack([seen_from_front(points), seen_from_front(points * 1.1)]).float()
    threads, results = torch.get_num_threads(), []
    try:
        for count, images in ((1, 2), (2, 1), (3, 2), (7, 1)):
            torch.set_num_threads(count)
            vertices = clip[:images].clone().requires_grad_()
            seen = rasterize(vertices, triangles, (61, 50))
            gradient = torch.autograd.grad(seen.barycentric.square().sum() + seen.depth.sum(), vertices)[0]
            results.append([x[:1] for x in (*seen, gradient)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_a_vertex_gone_astray_harms_its_own_triangles_only(value: float) -> None:
    points, triangles = ellipsoid(9, 12)
    clip = torch.stack([seen_from_front(points)] * 2)
    expected = rasterize(clip[:1], triangles, 40)
    for column in range(4):
        broken = clip.clone()
        broken[1, 40, column] = value
        seen = rasterize(broken.requires_grad_(), triangles, 40)
        assert torch.equal(seen.triangle_id[:1], expected.triangle_id)
        if math.isnan(value):
            own = (triangles == 40).any(dim=-1)
            assert not own[seen.triangle_id[1][seen.triangle_id[1] >= 0].long()].any()
            others = (expected.triangle_id[0] >= 0) & ~own[expected.triangle_id[0].clamp(min=0).long()]
            assert torch.equal(seen.triangle_id[1][others], expected.triangle_id[0][others])
        blended = antialias(seen.depth[..., None].clone(), seen, broken, triangles)
        assert torch.isfinite(torch.autograd.grad(blended[0].sum(), broken)[0][0]).all()


def test_no_images() -> None:
    seen = rasterize(torch.zeros(0, 3, 4), torch.tensor([[0, 1, 2]]), (4, 5))
    assert [tuple(x.shape) for x in seen] == [(0, 4, 5), (0, 4, 5, 3), (0, 4, 5)]


def test_vertex_normals_of_a_sphere_point_outwards() -> None:
    from facegen.rendering.kernels import vertex_normals

    octahedron = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [9, 9, 9]], np.float32)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    normals = vertex_normals(octahedron, np.array(faces, np.int32))
    np.testing.assert_allclose(normals[:6], octahedron[:6], atol=1e-6)
    assert (normals[6] == 0).all()
    again = differentiable_normals(torch.from_numpy(octahedron).expand(2, 7, 3), torch.tensor(faces))
    np.testing.assert_allclose(again[1], normals, atol=1e-6)


def test_mistakes_are_named() -> None:
    clip, triangles = plane()
    with pytest.raises(ValueError, match=r"got vertices of shape \(36, 3\)"):
        rasterize(clip[0, :, :3], triangles, 8)
    with pytest.raises(ValueError, match=r"got vertex indices 0\.\.36, expected 0\.\.35"):
        rasterize(clip, triangles.clone().fill_(36) * torch.tensor([0, 0, 1]), 8)
    with pytest.raises(ValueError, match="got backend 'gl'"):
        rasterize(clip, triangles, 8, backend="gl")  # pyright: ignore[reportArgumentType]
