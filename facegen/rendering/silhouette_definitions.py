"""What facegen.rendering.silhouette_kernels computes, in PyTorch: for tests, other devices and higher derivatives.

Half-edges and silhouettes are numbered as there.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_NONE, _HIDDEN = -1, -2
_MOST_STEPS = 1000


def neighbors(triangles: Int[Tensor, "face 3"]) -> Int[Tensor, "face 3"]:
    """Half-edge on the other side of each half-edge, -1 at a border and where more than two triangles meet."""
    pairs = triangles.long()[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2).sort(dim=-1).values
    _, edge, count = pairs.unique(dim=0, return_inverse=True, return_counts=True)
    order = edge.argsort(stable=True)
    first = count.cumsum(0) - count
    two = first[count == 2]
    result = torch.full_like(edge, -1)
    result[order[two]], result[order[two + 1]] = order[two + 1], order[two]
    return result.reshape(-1, 3).int()


def to_pixels(vertices_clip: Float[Tensor, "batch vertex 4"], size: tuple[int, int]) -> Float[Tensor, "batch vertex 3"]:
    """Homogeneous pixel coordinates (x w, y w, w) of clip-space vertices."""
    x, y, _, w = vertices_clip.unbind(dim=-1)
    return torch.stack([(x + w) * 0.5 * size[1], (w - y) * 0.5 * size[0], w], dim=-1)


def find(
    points: Float[Tensor, "batch vertex 3"],
    triangles: Int[Tensor, "face 3"],
    neighbors: Int[Tensor, "face 3"],
    triangle_id: Int[Tensor, "batch height width"],
    depth: Float[Tensor, "batch height width"],
) -> Int[Tensor, "batch 2 height width"]:
    """Silhouettes between each pixel and the one to its right (0) and below (1).

    1. Start at the pixel that sees something or, of two, what is nearer.
    2. Walk over the surface towards the other pixel, from triangle to triangle, until an edge has no other side or the
       other side folds back: that edge is the silhouette.
    3. Where the surface goes on to the other pixel's centre without showing there, start from that pixel instead.
    """
    _, height, width = triangle_id.shape
    found = torch.full((len(points), 2, height, width), _NONE, dtype=torch.int32, device=points.device)
    for pair in range(2):
        here, there = _halves(triangle_id, pair)
        deep, deeper = _halves(depth, pair)
        differ = here != there
        batch, row, column = differ.nonzero(as_tuple=True)
        here, there, from_there = here[differ], there[differ], (deeper < deep)[differ]
        from_there = ((here < 0) | (from_there & (there >= 0))).long()
        ids = torch.stack([here, there]).long()
        code = torch.full_like(from_there, _HIDDEN)
        for _ in range(2):
            todo = ((code == _HIDDEN) & (ids.gather(0, from_there[None])[0] >= 0)).nonzero()[:, 0]
            side = from_there[todo]
            start, goal = ids[side, todo], ids[1 - side, todo]
            away = torch.tensor([[1.0, 0], [0, 1]], device=points.device)[pair].to(points)
            s = torch.stack([column[todo] + 0.5, row[todo] + 0.5], dim=-1).to(points) + side[:, None] * away
            edge = _walk(points, triangles, neighbors, batch[todo], start, goal, s, away * (1 - 2 * side[:, None]))
            code[todo] = torch.where(edge >= 0, 2 * edge + side, edge)
            from_there = torch.where(code == _HIDDEN, 1 - from_there, from_there)
        found[batch, pair, row, column] = code.clamp(min=_NONE).int()
    return found


def blend(
    images: Float[Tensor, "batch height width channel"],
    points: Float[Tensor, "batch vertex 3"],
    triangles: Int[Tensor, "face 3"],
    silhouettes: Int[Tensor, "batch 2 height width"],
) -> Float[Tensor, "batch height width channel"]:
    """Move colour across silhouettes: a pixel pair shares it by where the edge crosses between the two centres.

    An edge is crossed by rows and by columns of pixel centres; each counts by the squared component of its normal.
    Differentiable with respect to images and points.
    """
    batch, pair, row, column = (silhouettes >= 0).nonzero(as_tuple=True)
    code = silhouettes[batch, pair, row, column].long()
    here, there = (row, column), (row + pair, column + 1 - pair)
    near = tuple(torch.where(code % 2 == 0, a, b) for a, b in zip(here, there, strict=True))
    far = tuple(torch.where(code % 2 == 0, b, a) for a, b in zip(here, there, strict=True))
    corners = triangles.long()[code // 6]
    k = code[:, None] // 2 % 3
    p, q = (points[batch, corners.gather(1, (k + step) % 3)[:, 0]] for step in (1, 2))
    lines = p.cross(q, dim=-1)
    s = torch.stack([near[1] + 0.5, near[0] + 0.5, torch.ones_like(near[0])], dim=-1).to(points)
    d = torch.stack([far[1] - near[1], far[0] - near[0]], dim=-1).to(points)
    along = (lines[:, :2] * d).sum(dim=-1)
    place = (-(lines * s).sum(dim=-1) / along).clamp(0, 1)
    weight = (along.square() / lines[:, :2].square().sum(dim=-1)).detach()
    jump = images[(batch, *near)] - images[(batch, *far)]
    excess = place - 0.5
    target = tuple(torch.where(excess > 0, b, a) for a, b in zip(near, far, strict=True))
    return images.index_put((batch, *target), (weight * excess)[:, None].to(images.dtype) * jump, accumulate=True)


def _halves(x: Tensor, pair: int) -> tuple[Tensor, Tensor]:
    """Pixels with a neighbour to the right (0) or below (1), and these neighbours."""
    return (x[:, :-1], x[:, 1:]) if pair else (x[:, :, :-1], x[:, :, 1:])


def _walk(
    points: Float[Tensor, "batch vertex 3"],
    triangles: Int[Tensor, "face 3"],
    neighbors: Int[Tensor, "face 3"],
    batch: Int[Tensor, " walker"],
    face: Int[Tensor, " walker"],
    goal: Int[Tensor, " walker"],
    start: Float[Tensor, "walker 2"],
    step: Float[Tensor, "walker 2"],
) -> Int[Tensor, " walker"]:
    """Half-edge where each surface ends between `start` and `start + step`, or _NONE, or _HIDDEN."""
    result = torch.full_like(face, _NONE)
    active = torch.arange(len(face), device=face.device)
    entered = torch.full_like(face, -1)
    for _ in range(_MOST_STEPS):
        if len(active) == 0:
            break
        corners = points[batch[active, None], triangles.long()[face[active]]]
        leave, line = _exit(corners, entered[active], start[active], step[active])
        edge = 3 * face[active] + leave
        other = torch.where(leave < 0, -1, neighbors.long()[face[active], leave.clamp(min=0)])
        across = other.clamp(min=0)
        opposite = points[batch[active], triangles.long()[across // 3, across % 3]]
        ends = (other < 0) | ((line * opposite).sum(dim=-1) > 0)
        result[active] = torch.where(leave < 0, _HIDDEN, torch.where(ends, edge, _NONE))
        face[active], entered[active] = across // 3, across % 3
        active = active[~ends & (face[active] != goal[active])]
    return result


def _exit(
    corners: Float[Tensor, "walker 3 3"],
    entered: Int[Tensor, " walker"],
    start: Float[Tensor, "walker 2"],
    step: Float[Tensor, "walker 2"],
) -> tuple[Int[Tensor, " walker"], Float[Tensor, "walker 3"]]:
    """The edge by which a walker leaves its triangle, -1 if it stays, and its line, positive inside."""
    lines = torch.stack([corners[:, (k + 1) % 3].cross(corners[:, (k + 2) % 3], dim=-1) for k in range(3)], dim=1)
    determinant = (corners[:, 0] * lines[:, 0]).sum(dim=-1)
    lines = lines * torch.where(determinant > 0, 1.0, -1.0)[:, None, None].to(lines)
    slope = (lines[..., :2] * step[:, None]).sum(dim=-1)
    value = (lines[..., :2] * start[:, None]).sum(dim=-1) + lines[..., 2]
    leaving: Bool[Tensor, "walker 3"] = (slope < 0) & (torch.arange(3, device=slope.device) != entered[:, None])
    place, k = torch.where(leaving, -value / slope, torch.inf).min(dim=1)
    return torch.where(place > 1, -1, k), lines.gather(1, k[:, None, None].expand(-1, 1, 3))[:, 0]
