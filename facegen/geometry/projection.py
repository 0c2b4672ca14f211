"""From camera labels to pictures: where world points fall, and the matrices a rasteriser takes."""

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.cameras import split_label

NEAR, FAR = 1.0, 6.0


def world_to_camera(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 4 4"]:
    """Rigid inverses of the labels' camera-to-world matrices."""
    cam2world, _ = split_label(labels)
    rotation = cam2world[:, :3, :3].mT
    inverse = torch.eye(4, dtype=labels.dtype, device=labels.device).repeat(len(labels), 1, 1)
    inverse[:, :3, :3] = rotation
    inverse[:, :3, 3:] = -rotation @ cam2world[:, :3, 3:]
    return inverse


def project(
    points: Float[Tensor, "*batch point 3"], labels: Float[Tensor, "batch 25"]
) -> Float[Tensor, "batch point 2"]:
    """Project (P, 3) or (N, P, 3) world points; (0, 0) is the image's top left corner and (1, 1) the opposite one.

    Multiply by the image size for pixels: the centre of the first pixel is then at (0.5, 0.5).
    """
    _, intrinsics = split_label(labels)
    matrix = world_to_camera(labels)
    camera = points @ matrix[:, :3, :3].mT + matrix[:, None, :3, 3]
    homogeneous = camera @ intrinsics.mT
    return homogeneous[..., :2] / homogeneous[..., 2:]


def world_to_clip(
    labels: Float[Tensor, "batch 25"], near: float = NEAR, far: float = FAR
) -> Float[Tensor, "batch 4 4"]:
    """Matrices from world to clip space: x right, y up, visible where |x|, |y|, |z| <= w, and w = depth.

    `near` and `far` are distances along the optical axis in world units that map to z/w = -1 and 1.
    """
    if not 0 < near < far:
        raise ValueError(f"clip space: got near={near}, far={far}, expected 0 < near < far")
    _, intrinsics = split_label(labels)
    clip = torch.zeros(len(labels), 4, 4, dtype=labels.dtype, device=labels.device)
    clip[:, 0, :3] = 2 * intrinsics[:, 0]
    clip[:, 0, 2] -= 1
    clip[:, 1, :3] = -2 * intrinsics[:, 1]
    clip[:, 1, 2] += 1
    clip[:, 2, 2] = (far + near) / (far - near)
    clip[:, 2, 3] = -2 * far * near / (far - near)
    clip[:, 3, 2] = 1
    return clip @ world_to_camera(labels)
