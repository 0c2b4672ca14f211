"""Cameras for tests."""

import torch
from torch import Tensor

from facegen.geometry import cameras


def random_labels(count: int, seed: int = 0) -> Tensor:
    """Labels in front of the face, up to 60 degrees to the side and from above, float64."""
    generator = torch.Generator().manual_seed(seed)
    h, v = (0.6 + 1.9 * torch.rand(2, count, generator=generator, dtype=torch.float64)).unbind()
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())
