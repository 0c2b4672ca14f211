"""What the compiled loops of this package compute, in PyTorch: for tests, other devices and higher derivatives."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def visible_triangles(
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    size: tuple[int, int],
    cull: bool = False,
) -> Int[Tensor, "batch height width"]:
    """Nearest triangle at every pixel centre by asking every triangle: batch x face x pixel numbers in memory."""
    corners = vertices_clip.detach().double()[:, triangles.long()]
    lines, determinant = _lines(corners)
    rays = _rays(size, corners)
    a = torch.einsum("nfkx,hwx->nfhwk", lines, rays)
    depth = torch.einsum("nfhwk,nfk->nfhw", a, corners[..., 2])
    drawn = (determinant < 0) if cull else (determinant != 0)
    hit = (a >= 0).all(dim=-1) & (depth.abs() <= 1) & drawn[..., None, None]
    # single precision as in the kernel, whose depth buffer decides ties for the triangle that comes first
    nearest = torch.where(hit, depth, torch.inf).to(vertices_clip.dtype).min(dim=1)
    return torch.where(nearest.values < 1, nearest.indices, -1).int()


def front_facing(
    vertices_clip: Float[Tensor, "batch vertex 4"], triangles: Int[Tensor, "face 3"]
) -> Bool[Tensor, "batch face"]:
    """Triangles that turn their counter-clockwise side to the camera."""
    return _lines(vertices_clip.detach().double()[:, triangles.long()])[1] < 0


def barycentric_at(
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    triangle_id: Int[Tensor, "batch height width"],
) -> tuple[Float[Tensor, "batch height width 3"], Float[Tensor, "batch height width"]]:
    """Perspective-correct barycentric coordinates and depth where the given triangles meet the pixels' rays.

    With the corners' (x, y, w) as columns of M and s = (x, y, 1): M a = s, coordinates a / sum(a), depth sum(a z)
    (Olano and Greer 1997). Differentiable to any order.
    """
    pixels = (triangle_id >= 0).nonzero(as_tuple=True)
    corners, a, _ = _solve(vertices_clip, triangles, triangle_id, pixels)
    barycentric = vertices_clip.new_zeros(*triangle_id.shape, 3)
    depth = vertices_clip.new_ones(triangle_id.shape)
    seen, far = a / a.sum(dim=-1, keepdim=True), (a * corners[..., 2]).sum(dim=-1)
    return barycentric.index_put(pixels, seen.to(barycentric)), depth.index_put(pixels, far.to(depth))


def barycentric_derivatives(
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
    triangle_id: Int[Tensor, "batch height width"],
) -> Float[Tensor, "batch height width 3 2"]:
    """Change of the barycentric coordinates per pixel to the right and per pixel down; 0 where nothing is seen."""
    height, width = triangle_id.shape[1:]
    pixels = (triangle_id >= 0).nonzero(as_tuple=True)
    _, a, lines = _solve(vertices_clip, triangles, triangle_id, pixels)
    step = lines[..., :2] * lines.new_tensor([2 / width, -2 / height])
    total = a.sum(dim=-1)[:, None, None]
    seen = (step - a[..., None] / total * step.sum(dim=1, keepdim=True)) / total
    return vertices_clip.new_zeros(*triangle_id.shape, 3, 2).index_put(pixels, seen.to(vertices_clip))


def interpolate(
    attributes: Float[Tensor, "*batch vertex channel"],
    weights: Float[Tensor, "batch height width 3"],
    triangles: Int[Tensor, "face 3"],
    triangle_id: Int[Tensor, "batch height width"],
) -> Float[Tensor, "batch height width channel"]:
    """Weighted sum of the attributes of the corners; 0 where nothing is seen."""
    seen = triangle_id >= 0
    corners = triangles.long()[triangle_id.clamp(min=0).long()]
    if attributes.ndim == 2:
        values = attributes[corners]
    else:
        batch = torch.arange(len(corners), device=corners.device)[:, None, None, None]
        values = attributes[batch, corners]
    return (torch.where(seen[..., None], weights, 0)[..., None] * values).sum(dim=-2)


def _rays(size: tuple[int, int], like: Tensor) -> Float[Tensor, "height width 3"]:
    """Clip-space x and y of pixel centres where w = 1, and 1."""
    height, width = size
    y = 1 - (2 * torch.arange(height, device=like.device, dtype=like.dtype) + 1) / height
    x = (2 * torch.arange(width, device=like.device, dtype=like.dtype) + 1) / width - 1
    grid = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid[1], grid[0], torch.ones_like(grid[0])], dim=-1)


def _lines(corners: Float[Tensor, "*face 3 4"]) -> tuple[Float[Tensor, "*face 3 3"], Float[Tensor, " *face"]]:
    """Rows of the inverse of each triangle's matrix, and its determinant; below 0 if counter-clockwise to the viewer
    (where rows count downwards, as in the kernels)."""
    p, q, r = corners[..., [0, 1, 3]].unbind(dim=-2)
    lines = torch.stack([q.cross(r, dim=-1), r.cross(p, dim=-1), p.cross(q, dim=-1)], dim=-2)
    determinant = (p * lines[..., 0, :]).sum(dim=-1)
    return lines / determinant[..., None, None], -determinant


def _solve(
    vertices_clip: Tensor, triangles: Tensor, triangle_id: Tensor, pixels: tuple[Tensor, ...]
) -> tuple[Float[Tensor, "pixel 3 4"], Float[Tensor, "pixel 3"], Float[Tensor, "pixel 3 3"]]:
    """Corners, solution of M a = s and inverse of M of the pixels that see something, in double precision: triangles
    may be far smaller than a pixel."""
    faces = triangles.long()[triangle_id[pixels].long()]
    corners = vertices_clip[pixels[0][:, None], faces].double()
    lines, _ = _lines(corners)
    rays = _rays((triangle_id.shape[1], triangle_id.shape[2]), corners)[pixels[1], pixels[2]]
    return corners, (lines * rays[:, None]).sum(dim=-1), lines
