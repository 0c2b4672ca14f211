"""Features of points in space from three axis-aligned planes of features (EG3D, Chan et al. 2022, section 4.1)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# Rows of each matrix are the plane's two axes and its normal. The released EG3D weights were trained with a third
# plane that repeats the second one transposed, so nothing tells (y, z) apart; the corrected one is LPFF's.
PLANE_AXES: dict[str, list[list[list[float]]]] = {
    "xy_xz_zx": [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    ],
    "xy_xz_zy": [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[0, 0, 1], [0, 1, 0], [1, 0, 0]],
    ],
}


def plane_axes(name: str) -> Float[Tensor, "3 3 3"]:
    """Axes of the three planes by the name of their projections; ValueError for another name."""
    if name not in PLANE_AXES:
        raise ValueError(
            f"plane_axes: got {name!r}, expected xy_xz_zx (released EG3D weights) or xy_xz_zy (corrected, LPFF's)"
        )
    return torch.tensor(PLANE_AXES[name], dtype=torch.float32)


def project_onto_planes(
    axes: Float[Tensor, "plane 3 3"], coordinates: Float[Tensor, "batch point 3"]
) -> Float[Tensor, "batch plane point 2"]:
    """Coordinates of points on every plane: the first two components of `coordinates @ axes^-1`."""
    inverse = torch.linalg.inv(axes)[..., :2].to(coordinates)
    return coordinates[:, None] @ inverse


def sample_planes(
    planes: Float[Tensor, "batch plane channel height width"],
    coordinates: Float[Tensor, "batch point 3"],
    axes: Float[Tensor, "plane 3 3"],
    box_warp: float,
) -> Float[Tensor, "batch plane point channel"]:
    """Bilinear samples of each plane; points outside the cube of side `box_warp` get zeros.

    The first coordinate on a plane runs along its width. Differentiable with respect to planes and coordinates.
    """
    places = project_onto_planes(axes, coordinates * (2 / box_warp))
    sampled = F.grid_sample(planes.flatten(0, 1), places.flatten(0, 1)[:, None], align_corners=False)
    return sampled[:, :, 0].mT.unflatten(0, planes.shape[:2])


def sample_triplane(
    planes: Float[Tensor, "batch 3 channel height width"],
    coordinates: Float[Tensor, "batch point 3"],
    axes: Float[Tensor, "3 3 3"],
    box_warp: float,
) -> Float[Tensor, "batch point channel"]:
    """Mean over the planes of `sample_planes`."""
    return sample_planes(planes, coordinates, axes, box_warp).mean(dim=1)
