"""From seeds to latents."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def latents(seeds: list[int], z_dim: int) -> Float[Tensor, "seed z_dim"]:
    """One z per seed from NumPy's RandomState, as NVIDIA's scripts draw it: the same seed is the same face."""
    return torch.from_numpy(np.stack([np.random.RandomState(s).randn(z_dim) for s in seeds])).float()
