"""Camera labels of 25 numbers, as EG3D writes them (Chan et al. 2022), and the angles people describe them by.

World frame: x to the right of a viewer who stands in front of the face, y up, z out of the face towards that viewer.
Camera frame: OpenCV's, x right, y down, z into the scene. A label is the row-major 4x4 camera-to-world matrix followed
by the row-major 3x3 intrinsics divided by the image size, so that the image spans [0, 1] x [0, 1].
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

RADIUS = 2.7
PIVOT = (0.0, 0.0, 0.2)
FOCAL = 4.2647
LABEL_SIZE = 25
_POLE = 1e-5  # the look-at basis is undefined exactly above and below the pivot
_MIRROR_SIGNS = (1, -1, -1, -1, -1, 1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1) + (1,) * 9


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
    cam2world = torch.eye(4, dtype=forward.dtype, device=forward.device).repeat(len(forward), 1, 1)
    cam2world[:, :3] = torch.stack([right, down, forward, origin.to(forward)], dim=-1)
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
    origin = sphere_position(horizontal, vertical, radius)
    target = torch.as_tensor(pivot, dtype=origin.dtype, device=origin.device)
    return camera_to_world(target - origin, origin)


def pinhole_intrinsics(focal: float = FOCAL) -> Float[Tensor, "3 3"]:
    """Intrinsics with square pixels and the principal point in the middle; `focal` in image widths."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def fov_intrinsics(fov_degrees: float) -> Float[Tensor, "3 3"]:
    """Intrinsics of a field of view across the image's diagonal, with the constants of EG3D's scripts.

    Their 3.14159 and 1.414 are kept: released samples were made with them. 18.837 degrees give 4.2634, not 4.2647.
    """
    return pinhole_intrinsics(1 / (math.tan(fov_degrees * 3.14159 / 360) * 1.414))


def label(cam2world: Float[Tensor, "batch 4 4"], intrinsics: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "batch 25"]:
    """Labels of (N, 4, 4) poses with (3, 3) shared or (N, 3, 3) own intrinsics."""
    if cam2world.shape[1:] != (4, 4) or intrinsics.shape[-2:] != (3, 3):
        got = f"{tuple(cam2world.shape)} and {tuple(intrinsics.shape)}"
        raise ValueError(f"camera label: got matrices of shapes {got}, expected (N, 4, 4) and (3, 3) or (N, 3, 3)")
    shared = intrinsics.to(cam2world).expand(len(cam2world), 3, 3)
    return torch.cat([cam2world.flatten(1), shared.flatten(1)], dim=1)


def _checked(labels: Tensor) -> Tensor:
    if labels.ndim != 2 or labels.shape[1] != LABEL_SIZE:
        raise ValueError(f"camera label: got shape {tuple(labels.shape)}, expected (N, {LABEL_SIZE})")
    return labels


def split_label(
    labels: Float[Tensor, "batch 25"],
) -> tuple[Float[Tensor, "batch 4 4"], Float[Tensor, "batch 3 3"]]:
    """Camera-to-world matrices and intrinsics of labels: the inverse of `label`."""
    labels = _checked(labels)
    return labels[:, :16].reshape(-1, 4, 4), labels[:, 16:].reshape(-1, 3, 3)


def mirror(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 25"]:
    """Labels of the horizontally flipped images of mirrored scenes: M P M with M = diag(-1, 1, 1, 1).

    Intrinsics stay, so the principal point has to be in the middle of the image's width, as EG3D's is.
    """
    return _checked(labels) * torch.tensor(_MIRROR_SIGNS, dtype=labels.dtype, device=labels.device)


def positions(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 3"]:
    """Camera positions in the world."""
    return _checked(labels)[:, [3, 7, 11]]


def theta_phi(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 2"]:
    """Angles (theta, phi) of the camera's position in radians, as LPFF (Wu et al. 2023) measures pose densities.

    theta is the angle from the x axis, 90 degrees in front and less on the side of +x; phi is the angle about the
    x axis from +y, 90 degrees in front and less from above. x = r cos t, y = r sin t cos p, z = r sin t sin p.
    """
    x, y, z = positions(labels).unbind(-1)
    return torch.stack([torch.atan2(torch.hypot(y, z), x), torch.atan2(z, y)], dim=-1)


def yaw_pitch(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 2"]:
    """Angles (h, v) of the camera's position in radians that `look_at` takes to put a camera there."""
    return position_yaw_pitch(positions(labels))


def position_yaw_pitch(position: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 2"]:
    """Angles (h, v) in radians of positions around the world's origin, at any distance from it."""
    x, y, z = position.unbind(-1)
    height = y / torch.linalg.vector_norm(position, dim=-1)
    return torch.stack([math.pi - torch.atan2(z, x), (1 - height) / 2 * math.pi], dim=-1)


def theta_phi_position(angles: Float[Tensor, "batch 2"], radius: float = RADIUS) -> Float[Tensor, "batch 3"]:
    """Position on a sphere at (theta, phi) in radians: the inverse of `theta_phi`."""
    theta, phi = angles.unbind(-1)
    sin_theta = torch.sin(theta)
    return radius * torch.stack([torch.cos(theta), sin_theta * torch.cos(phi), sin_theta * torch.sin(phi)], dim=-1)
