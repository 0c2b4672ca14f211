"""Camera-to-world matrices (N, 4, 4) from where a camera is and where it looks (conventions: `cameras`)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.constants import PIVOT, RADIUS

ORIGIN = (0.0, 0.0, 0.0)
_POLE = 1e-5  # the look-at basis is undefined exactly above and below the pivot


def _column(value: float | Tensor) -> Tensor:
    tensor = torch.as_tensor(value)
    if not tensor.is_floating_point():
        tensor = tensor.float()
    return tensor.reshape(-1)


def camera_to_world(forward: Float[Tensor, "batch 3"], origin: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 4 4"]:
    """Camera at `origin` that looks along `forward` (any length) with the world's y axis up in the image."""
    forward = torch.nn.functional.normalize(forward, dim=-1)
    up = torch.tensor([0.0, 1.0, 0.0], dtype=forward.dtype, device=forward.device).expand_as(forward)
    right = -torch.nn.functional.normalize(torch.linalg.cross(up, forward), dim=-1)
    down = torch.nn.functional.normalize(torch.linalg.cross(forward, right), dim=-1)
    return rigid(torch.stack([right, down, forward], dim=-1), origin.to(forward))


def rigid(rotation: Float[Tensor, "batch 3 3"], origin: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 4 4"]:
    """Pose with the camera's axes (right, down, forward) as the columns of `rotation`."""
    cam2world = torch.eye(4, dtype=rotation.dtype, device=rotation.device).repeat(len(rotation), 1, 1)
    cam2world[:, :3, :3], cam2world[:, :3, 3] = rotation, origin
    return cam2world


def sphere_position(
    h: Float[Tensor, " batch"], v: Float[Tensor, " batch"], radius: float = RADIUS
) -> Float[Tensor, "batch 3"]:
    """Point on the sphere about the world's origin at azimuth `h` and height parameter `v` (see `look_at`)."""
    cos_polar = 1 - 2 * v.clamp(_POLE, math.pi - _POLE) / math.pi
    sin_polar = torch.sin(torch.arccos(cos_polar))
    azimuth = math.pi - h
    return radius * torch.stack([sin_polar * torch.cos(azimuth), cos_polar, sin_polar * torch.sin(azimuth)], dim=-1)


def look_at(
    h: float | Tensor, v: float | Tensor, pivot: Sequence[float] | Tensor = PIVOT, radius: float = RADIUS
) -> Float[Tensor, "batch 4 4"]:
    """Cameras on a sphere about the origin that look at `pivot`: EG3D's sampler of poses.

    `h` and `v` are radians, numbers or (N,) tensors; pi/2 each is the frontal view. `h` is the azimuth. `v` is uniform
    in height: the polar angle is arccos(1 - 2 v / pi), which equals `v` at pi/2 only. `v` is clamped to
    [1e-5, pi - 1e-5]. The position does not depend on the pivot. Returns (N, 4, 4) camera-to-world matrices.
    """
    horizontal, vertical = torch.broadcast_tensors(_column(h), _column(v))
    return look_from(sphere_position(horizontal, vertical, radius), pivot)


def look_from(
    origin: Float[Tensor, "batch 3"], pivot: Sequence[float] | Float[Tensor, "3"] = PIVOT
) -> Float[Tensor, "batch 4 4"]:
    """Cameras at given positions that look at `pivot`, upright."""
    return camera_to_world(torch.as_tensor(pivot, dtype=origin.dtype, device=origin.device) - origin, origin)


def onto_sphere(
    cam2world: Float[Tensor, "batch 4 4"], centre: Sequence[float] = ORIGIN, radius: float = RADIUS
) -> Float[Tensor, "batch 4 4"]:
    """Move cameras along the line from `centre` to the given distance from it; their rotation stays.

    EG3D prepares its labels so: `orig` about the origin, `cor` about (0, 0, 0.175).
    """
    middle = torch.as_tensor(centre, dtype=cam2world.dtype, device=cam2world.device)
    offset = cam2world[:, :3, 3] - middle
    moved = radius * offset / torch.linalg.vector_norm(offset, dim=-1, keepdim=True) + middle
    return rigid(cam2world[:, :3, :3], moved)


def orbit(
    rotation: Float[Tensor, "batch 3 3"], centre: Sequence[float] = ORIGIN, radius: float = RADIUS
) -> Float[Tensor, "batch 4 4"]:
    """Cameras of known rotation, put where their optical axis passes through `centre`: EG3D's labels for AFHQ."""
    middle = torch.as_tensor(centre, dtype=rotation.dtype, device=rotation.device)
    return rigid(rotation, middle - radius * rotation[:, :, 2])
