"""Random cameras on a sphere, as EG3D draws them (frames and angles: `cameras`)."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.constants import PIVOT, RADIUS
from facegen.geometry.look_at import ORIGIN, look_at

Draw = Callable[..., Tensor]  # draw(shape, device=...) -> random numbers, as torch.rand and torch.randn


def gaussian(
    h_mean: float,
    v_mean: float,
    h_std: float = 0.0,
    v_std: float = 0.0,
    pivot: Sequence[float] | None = PIVOT,
    radius: float = RADIUS,
    count: int = 1,
    randn: Draw = torch.randn,
    device: torch.device | str | None = None,
) -> Float[Tensor, "batch 4 4"]:
    """Camera-to-world matrices at normally distributed (h, v) in radians (see `look_at`).

    `pivot` None looks at the world's origin: EG3D's GaussianCameraPoseSampler; with a pivot this is its
    LookAtPoseSampler. `randn` is called for h, then for v, with the shape (count, 1), so that a seed gives EG3D's
    cameras. v is clamped to [1e-5, pi - 1e-5].
    """
    h, v = (mean + std * randn((count, 1), device=device) for mean, std in ((h_mean, h_std), (v_mean, v_std)))
    return look_at(h, v, ORIGIN if pivot is None else pivot, radius)


def uniform(
    h_mean: float,
    v_mean: float,
    h_range: float = 0.0,
    v_range: float = 0.0,
    pivot: Sequence[float] | None = PIVOT,
    radius: float = RADIUS,
    count: int = 1,
    rand: Draw = torch.rand,
    device: torch.device | str | None = None,
) -> Float[Tensor, "batch 4 4"]:
    """Camera-to-world matrices at h in h_mean ± h_range and v in v_mean ± v_range, evenly, in radians.

    `pivot` None looks at the world's origin, as EG3D's UniformCameraPoseSampler does. `rand` is called for h, then
    for v, with the shape (count, 1). v is clamped to [1e-5, pi - 1e-5].
    """

    def centred(shape: tuple[int, ...], device: torch.device | str | None) -> Tensor:
        return 2 * rand(shape, device=device) - 1

    return gaussian(h_mean, v_mean, h_range, v_range, pivot, radius, count, centred, device)
