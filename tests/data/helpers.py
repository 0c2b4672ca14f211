"""Random images and cameras."""

import math

import numpy as np
import torch

from facegen.geometry.cameras import label, look_at, pinhole_intrinsics


def noise(size: int, seed: int, height: int | None = None) -> np.ndarray:
    """Random RGB pixels with some structure, so that resizing filters differ."""
    values = np.random.default_rng(seed).integers(0, 256, (height or size, size, 3), dtype=np.uint8)
    values[: len(values) // 2] //= 3
    return values


def camera(seed: int) -> list[float]:
    """A valid camera label, different for every seed."""
    pose = look_at(math.pi / 2 + 0.05 * seed, math.pi / 2 - 0.02 * seed)
    return label(pose.double(), pinhole_intrinsics().double())[0].tolist()


def pixels(tensor: torch.Tensor) -> np.ndarray:
    """CHW tensor to HWC array."""
    return tensor.permute(1, 2, 0).numpy()
