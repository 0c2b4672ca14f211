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
    """Mean over the planes of `sample_planes`; see `TriPlane`."""
    return TriPlane(planes, axes, box_warp)(coordinates)


class TriPlane:
    """Three planes of features that are sampled as their mean, on a CPU by compiled loops.

    Those are used for float32 planes where no gradient with respect to the coordinates is asked for. All samplings of
    one object share one gradient of the planes, which is there once (no second derivatives). They are fastest for
    planes whose channels are innermost in memory.
    """

    def __init__(
        self, planes: Float[Tensor, "batch 3 channel height width"], axes: Float[Tensor, "3 3 3"], box_warp: float
    ) -> None:
        if planes.ndim != 5 or planes.shape[1] != 3:
            raise ValueError(f"tri-plane: got planes of shape {tuple(planes.shape)}, expected (N, 3, C, H, W)")
        self.planes, self.axes, self.box_warp = planes, axes, box_warp
        self._matrices = torch.linalg.inv(axes.detach())[..., :2].contiguous()
        self._shared = _SharedGradient()
        self._table: Tensor | None = None

    def __call__(self, coordinates: Float[Tensor, "batch point 3"]) -> Float[Tensor, "batch point channel"]:
        """Features of points in the world; zeros outside the cube of side `box_warp`."""
        if coordinates.ndim != 3 or coordinates.shape[::2] != (len(self.planes), 3):
            got = f"{tuple(coordinates.shape)} for {len(self.planes)} sets of planes"
            raise ValueError(f"tri-plane: got coordinates of shape {got}, expected ({len(self.planes)}, M, 3)")
        on_cpu = self.planes.device.type == "cpu" and self.planes.dtype == torch.float32
        if not on_cpu or coordinates.requires_grad:
            return sample_planes(self.planes, coordinates, self.axes, self.box_warp).mean(dim=1)
        if self._table is None or self._table.requires_grad != (self.planes.requires_grad and torch.is_grad_enabled()):
            self._table = _Table.apply(self.planes, self._shared)  # type: ignore[assignment]
        points = coordinates.detach().float().contiguous()
        return _Sample.apply(self._table, points, self._matrices, 2 / self.box_warp, self._shared)  # type: ignore[return-value]


class _SharedGradient:
    """Where all samplings of one tri-plane add their gradients, instead of a whole array each."""

    def __init__(self) -> None:
        self.sum: Tensor | None = None

    def like(self, table: Tensor) -> Tensor:
        if self.sum is None:
            self.sum = torch.zeros_like(table)
        return self.sum

    def take(self) -> Tensor | None:
        total, self.sum = self.sum, None
        return total


class _Table(torch.autograd.Function):
    """(N, 3, C, H, W) as (N, H, W, 3 C), without a copy where memory is laid out so; its gradient is the shared one."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, shared: _SharedGradient) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.shared, ctx.shape = shared, planes.shape
        return planes.permute(0, 3, 4, 1, 2).flatten(3).contiguous()

    @staticmethod
    def backward(ctx: Any, *_: Any) -> tuple[Tensor | None, None]:
        total = ctx.shared.take()
        return None if total is None else total.unflatten(3, ctx.shape[1:3]).permute(0, 3, 4, 1, 2), None


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, table: Tensor, points: Tensor, matrices: Tensor, scale: float, shared: _SharedGradient
    ) -> Tensor:
        from facegen.rendering.volume import kernels

        ctx.save_for_backward(table, points, matrices)
        ctx.scale, ctx.shared = scale, shared
        batch, count, threads = len(points), points.shape[1], torch.get_num_threads()
        out = torch.empty([batch, count, table.shape[3] // 3])
        arrays = table.detach().numpy(), points.numpy(), matrices.numpy(), np.float32(scale)
        edges = np.linspace(0, count, threads + 1).astype(int)
        _spread(lambda part: kernels.sample(*arrays, *part, out.numpy()), list(pairwise(edges)), threads)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        from facegen.rendering.volume import kernels

        if gradients[0].requires_grad:
            raise RuntimeError(
                "tri-plane sampling on a CPU is differentiable once; for second derivatives call sample_planes"
            )
        table, points, matrices = ctx.saved_tensors
        total = ctx.shared.like(table.detach()).numpy()
        arrays = gradients[0].contiguous().numpy(), points.numpy(), matrices.numpy(), np.float32(ctx.scale)
        tasks = [(n, plane) for n in range(len(points)) for plane in range(3)]
        _spread(lambda task: kernels.scatter(*arrays, *task, total), tasks, torch.get_num_threads())
        return (None,) * 5


def _spread(work: Callable[[Any], None], tasks: list[Any], threads: int) -> None:
    """Run tasks in this thread, or in several; each writes to a place of its own, so the result is the same."""
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, tasks))
