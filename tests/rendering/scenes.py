"""Small meshes in clip space for the tests of this package."""

import numpy as np
import torch
from torch import Tensor


def random_scene(seed: int, vertices: int = 24, triangles: int = 18) -> tuple[np.ndarray, np.ndarray]:
    """Triangles in front of, across and behind the camera, some outside the view."""
    generator = np.random.default_rng(seed)
    w = generator.uniform(-0.5, 3.0, (vertices, 1))
    clip = np.concatenate([generator.uniform(-2, 2, (vertices, 3)), w], axis=1)
    return clip.astype(np.float32), generator.integers(0, vertices, (triangles, 3)).astype(np.int32)


def plane(count: int = 6) -> tuple[Tensor, Tensor]:
    """A tilted square seen in perspective, as a grid of triangles, and its vertices in clip space."""
    line = torch.linspace(-1, 1, count)
    y, x = torch.meshgrid(line, line, indexing="ij")
    depth = 2 + 0.8 * x + 0.3 * y
    clip = torch.stack([x * 2, y * 2, depth - 2, depth], dim=-1).reshape(-1, 4)
    index = torch.arange(count * count).reshape(count, count)
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    quads = torch.stack(corners, dim=-1).reshape(-1, 4)
    return clip[None], torch.cat([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def ellipsoid(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """A closed surface (V, 3) about the origin, counter-clockwise seen from outside."""
    polar = torch.linspace(0, torch.pi, rows + 1, dtype=torch.float64)[1:-1]
    angle = torch.arange(columns, dtype=torch.float64) * (2 * torch.pi / columns)
    p, a = torch.meshgrid(polar, angle, indexing="ij")
    ring = torch.stack([p.sin() * a.cos(), p.cos(), -p.sin() * a.sin()], dim=-1).reshape(-1, 3)
    poles = torch.tensor([[0.0, 1, 0], [0, -1, 0]], dtype=torch.float64)
    grid = torch.arange(len(ring)).reshape(rows - 1, columns)
    right, below = grid.roll(-1, 1), grid[1:]
    upper = torch.stack([grid[:-1], below, right[:-1]], dim=-1).reshape(-1, 3)
    lower = torch.stack([right[:-1], below, right[1:]], dim=-1).reshape(-1, 3)
    north = torch.stack([torch.full((columns,), len(ring)), grid[0], right[0]], dim=-1)
    south = torch.stack([torch.full((columns,), len(ring) + 1), right[-1], grid[-1]], dim=-1)
    size = torch.tensor([0.9, 1.2, 0.8], dtype=torch.float64)
    return torch.cat([ring, poles]) * size, torch.cat([north, upper, lower, south])


def seen_from_front(points: Tensor) -> Tensor:
    """Clip space of points about the origin, seen from z = 6."""
    x, y, z = points.unbind(dim=-1)
    w = 6 - z
    return torch.stack([3.6 * x, 3.6 * y, (w - 6) * w.sign(), w], dim=-1)
