"""From seeds to latents, and what is between them."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry import cameras


def latents(seeds: list[int], z_dim: int) -> Float[Tensor, "seed z_dim"]:
    """One z per seed from NumPy's RandomState, as NVIDIA's scripts draw it: the same seed is the same face."""
    return torch.from_numpy(np.stack([np.random.RandomState(s).randn(z_dim) for s in seeds])).float()


def average_label(c_dim: int) -> Float[np.ndarray, "1 c_dim"]:
    """For cameras, the frontal one of EG3D's scripts; for classes, equal weights."""
    if c_dim != 25:
        return np.full((1, c_dim), 1 / c_dim, np.float32)
    frontal = cameras.look_at(math.pi / 2, math.pi / 2)
    return cameras.label(frontal, cameras.pinhole_intrinsics()).numpy()


def slerp(a: Float[Tensor, " z_dim"], b: Float[Tensor, " z_dim"], t: Float[Tensor, " step"]) -> Tensor:
    """Spherical interpolation (Shoemake 1985) of direction, linear of length: (step, z_dim), a at t=0 and b at t=1."""
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1)).clamp_min(1e-6)
    t = t[:, None]
    direction = torch.sin((1 - t) * angle) * a / a.norm() + torch.sin(t * angle) * b / b.norm()
    return direction / torch.sin(angle) * torch.lerp(a.norm(), b.norm(), t)
