"""Spherical angles of camera positions in each published convention, and back (radians; frames: `cameras`)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.camera_labels import positions, split_label
from facegen.geometry.constants import RADIUS


def theta_phi(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 2"]:
    """Angles (theta, phi) of the camera's position in radians, as LPFF (Wu et al. 2023) measures pose densities.

    theta is the angle from the x axis, 90 degrees in front and less on the side of +x; phi is the angle about the
    x axis from +y, 90 degrees in front and less from above. x = r cos t, y = r sin t cos p, z = r sin t sin p.
    """
    x, y, z = positions(labels).unbind(-1)
    return torch.stack([torch.atan2(torch.hypot(y, z), x), torch.atan2(z, y)], dim=-1)


def theta_phi_step2(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 2"]:
    """(pi - theta, phi in [0, 2 pi)): what LPFF's collection of large poses computes and calls (theta, phi) too."""
    theta, phi = theta_phi(labels).unbind(-1)
    return torch.stack([math.pi - theta, phi.remainder(2 * math.pi)], dim=-1)


def theta_phi_position(angles: Float[Tensor, "batch 2"], radius: float = RADIUS) -> Float[Tensor, "batch 3"]:
    """Position on a sphere at (theta, phi) in radians: the inverse of `theta_phi`."""
    theta, phi = angles.unbind(-1)
    sin_theta = torch.sin(theta)
    return radius * torch.stack([torch.cos(theta), sin_theta * torch.cos(phi), sin_theta * torch.sin(phi)], dim=-1)


def yaw_pitch(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 2"]:
    """Angles (h, v) of the camera's position in radians that `look_at` takes to put a camera there."""
    return position_yaw_pitch(positions(labels))


def position_yaw_pitch(position: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 2"]:
    """Angles (h, v) in radians of positions around the world's origin, at any distance from it."""
    x, y, z = position.unbind(-1)
    height = y / torch.linalg.vector_norm(position, dim=-1)
    return torch.stack([math.pi - torch.atan2(z, x), (1 - height) / 2 * math.pi], dim=-1)


def view_angles(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 3"]:
    """Yaw, pitch and roll in radians of where cameras look, whatever their positions; 0 for an upright frontal camera.

    yaw > 0: the camera stands on the side of +x; pitch > 0: it looks down from above; roll > 0: its right side is up.
    """
    rotation = split_label(labels)[0][:, :3, :3]
    right, down, forward = rotation.unbind(dim=-1)
    yaw = torch.atan2(-forward[:, 0], -forward[:, 2])
    pitch = torch.atan2(-forward[:, 1], torch.hypot(forward[:, 0], forward[:, 2]))
    roll = torch.atan2(right[:, 1], -down[:, 1])
    return torch.stack([yaw, pitch, roll], dim=-1)
