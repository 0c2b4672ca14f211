"""Camera rays, and where they cross the volume."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_MISS_NEAR, _MISS_FAR = -1.0, -2.0  # the published code's marks: far < near says that a ray misses


class Rays(NamedTuple):
    """Rays in the world frame: a point and a unit direction each."""

    origins: Float[Tensor, "batch ray 3"]
    directions: Float[Tensor, "batch ray 3"]


def camera_rays(cam2world: Float[Tensor, "batch 4 4"], intrinsics: Float[Tensor, "batch 3 3"], resolution: int) -> Rays:
    """One ray through the centre of every pixel of a square image, row by row.

    `intrinsics` are divided by the image size; they may have a skew. Ray `row * resolution + column` goes through
    (u, v) = ((column + 0.5) / resolution, (row + 0.5) / resolution).
    """
    fx, skew, cx = intrinsics[:, 0].unbind(-1)
    fy, cy = intrinsics[:, 1, 1], intrinsics[:, 1, 2]
    centres = (torch.arange(resolution, dtype=cam2world.dtype, device=cam2world.device) + 0.5) / resolution
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    u, v = u.reshape(1, -1), v.reshape(1, -1)
    fx, fy, skew, cx, cy = (value[:, None] for value in (fx, fy, skew, cx, cy))
    y = (v - cy) / fy
    x = (u - cx + cy * skew / fy - skew * v / fy) / fx
    ones = torch.ones_like(x)
    # Through points in the world and back, as published: high-frequency planes magnify the rounding of directions.
    points = (cam2world @ torch.stack([x, y, ones, ones], dim=1)).mT[..., :3]
    origins = cam2world[:, None, :3, 3].expand_as(points)
    return Rays(origins, torch.nn.functional.normalize(points - origins, dim=-1))


def box_intersection(rays: Rays, side: float) -> tuple[Float[Tensor, "batch ray 1"], Float[Tensor, "batch ray 1"]]:
    """Distances at which rays enter and leave the cube of a side length about the origin; -1 and -2 where they miss.

    The slab method (Kay and Kajiya 1986). An entry behind the origin is negative.
    """
    inverse = 1 / rays.directions
    first, second = (-side / 2 - rays.origins) * inverse, (side / 2 - rays.origins) * inverse
    near = torch.minimum(first, second).amax(dim=-1, keepdim=True)
    far = torch.maximum(first, second).amin(dim=-1, keepdim=True)
    hit = near <= far
    return near.where(hit, near.new_tensor(_MISS_NEAR)), far.where(hit, far.new_tensor(_MISS_FAR))
