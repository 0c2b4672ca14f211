import numpy as np
import pytest
import torch

from facegen.rendering import interpolate, rasterize
from facegen.rendering.rasterizer import rasterize_numpy


def random_scene(seed: int, vertices: int = 24, triangles: int = 18) -> tuple[np.ndarray, np.ndarray]:
    """Triangles in front of, across and behind the camera, some outside the view."""
    generator = np.random.default_rng(seed)
    w = generator.uniform(-0.5, 3.0, (vertices, 1))
    clip = np.concatenate([generator.uniform(-2, 2, (vertices, 3)), w], axis=1)
    return clip.astype(np.float32), generator.integers(0, vertices, (triangles, 3)).astype(np.int32)


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


def plane(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """A tilted square seen in perspective, as a grid of triangles, and its vertices in clip space."""
    line = torch.linspace(-1, 1, count)
    y, x = torch.meshgrid(line, line, indexing="ij")
    depth = 2 + 0.8 * x + 0.3 * y
    clip = torch.stack([x * 2, y * 2, depth - 2, depth], dim=-1).reshape(-1, 4)
    index = torch.arange(count * count).reshape(count, count)
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    quads = torch.stack(corners, dim=-1).reshape(-1, 4)
    return clip[None], torch.cat([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


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


def test_interpolation_passes_gradients_to_attributes() -> None:
    clip, triangles = plane()
    colors = torch.rand(1, 36, 3, requires_grad=True)
    seen = rasterize(clip, triangles, 24)
    interpolate(colors, seen, triangles).sum().backward()
    assert colors.grad is not None
    torch.testing.assert_close(colors.grad.sum(), (seen.triangle_id >= 0).sum() * 3.0)


def test_vertex_normals_of_a_sphere_point_outwards() -> None:
    from facegen.rendering.kernels import vertex_normals

    octahedron = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [9, 9, 9]], np.float32)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    normals = vertex_normals(octahedron, np.array(faces, np.int32))
    np.testing.assert_allclose(normals[:6], octahedron[:6], atol=1e-6)
    assert (normals[6] == 0).all()


def test_mistakes_are_named() -> None:
    clip, triangles = plane()
    with pytest.raises(ValueError, match=r"got vertices of shape \(36, 3\)"):
        rasterize(clip[0, :, :3], triangles, 8)
    with pytest.raises(ValueError, match=r"got vertex indices 0\.\.36, expected 0\.\.35"):
        rasterize(clip, triangles.clone().fill_(36) * torch.tensor([0, 0, 1]), 8)
    with pytest.raises(ValueError, match="got backend 'gl'"):
        rasterize(clip, triangles, 8, backend="gl")  # pyright: ignore[reportArgumentType]
