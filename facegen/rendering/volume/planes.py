"""Features of points in space from three axis-aligned planes of features (EG3D, Chan et al. 2022, section 4.1)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    """Mean over the planes of `sample_planes`, by compiled loops on a CPU.

    They are used for float32 where no gradient with respect to the coordinates is asked for; the gradient with respect
    to the planes is there once (no second derivatives). They are fastest for planes whose channels are innermost.
    """
    compiled = planes.device.type == "cpu" and planes.dtype == torch.float32 and not coordinates.requires_grad
    if not compiled:
        return sample_planes(planes, coordinates, axes, box_warp).mean(dim=1)
    matrices = torch.linalg.inv(axes.detach())[..., :2].contiguous()
    return _Sample.apply(planes, coordinates.detach().float(), matrices, 2 / box_warp)  # type: ignore[return-value]


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, points: Tensor, matrices: Tensor, scale: float) -> Tensor:
        from facegen.rendering.volume import kernels

        ctx.save_for_backward(points, matrices)
        ctx.size, ctx.scale = planes.shape, scale
        batch, count, channels = len(points), points.shape[1], planes.shape[2]
        out = torch.empty([batch, count, channels])
        pixels = _innermost(planes.detach()).numpy()
        arrays = points.contiguous().numpy(), matrices.numpy(), np.float32(scale)
        threads = torch.get_num_threads()
        edges = np.linspace(0, count, threads + 1).astype(int)
        parts = list(pairwise(edges))
        _spread(lambda part: kernels.sample(pixels, *arrays, *part, out.numpy()), parts, threads)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from facegen.rendering.volume import kernels

        points, matrices = ctx.saved_tensors
        batch, planes, channels, height, width = ctx.size
        pixels = torch.zeros([batch, height, width, planes * channels])
        arrays = gradients[0].contiguous().numpy(), points.contiguous().numpy(), matrices.numpy(), np.float32(ctx.scale)
        tasks = [(n, plane) for n in range(batch) for plane in range(planes)]
        _spread(lambda task: kernels.scatter(*arrays, *task, pixels.numpy()), tasks, torch.get_num_threads())
        return pixels.unflatten(3, (planes, channels)).permute(0, 3, 4, 1, 2), None, None, None


def _innermost(planes: Tensor) -> Tensor:
    """(N, 3, C, H, W) as (N, H, W, 3 C), without a copy where memory is laid out so."""
    return planes.permute(0, 3, 4, 1, 2).flatten(3).contiguous()


def _spread(work: Callable[[Any], None], tasks: list[Any], threads: int) -> None:
    """Run tasks in this thread, or in several; each writes to a place of its own, so the result is the same."""
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, tasks))
