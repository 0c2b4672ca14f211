"""The 25 numbers of a camera label: packing, unpacking, intrinsics, mirroring (conventions: `cameras`)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.constants import FOCAL, LABEL_SIZE

_MIRROR_SIGNS = (1, -1, -1, -1, -1, 1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1) + (1,) * 9


def pinhole_intrinsics(focal: float = FOCAL, dtype: torch.dtype | None = None) -> Float[Tensor, "3 3"]:
    """Intrinsics with square pixels and the principal point in the middle; `focal` in image widths."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]], dtype=dtype)


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


def positions(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 3"]:
    """Camera positions in the world."""
    return _checked(labels)[:, [3, 7, 11]]


def mirror(labels: Float[Tensor, "batch 25"]) -> Float[Tensor, "batch 25"]:
    """Labels of the horizontally flipped images of mirrored scenes: M P M with M = diag(-1, 1, 1, 1).

    Intrinsics stay, so the principal point has to be in the middle of the image's width, as EG3D's is.
    """
    return _checked(labels) * torch.tensor(_MIRROR_SIGNS, dtype=labels.dtype, device=labels.device)
