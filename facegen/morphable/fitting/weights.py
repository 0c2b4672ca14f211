"""How much each landmark counts in a fit, across and down the picture."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

# When a head turns, a detector's outline of the jaw slides along the silhouette: across the picture it is no point of
# the head, its height still tells how far the head nods.
_GROUPS = ((17, (0.0, 0.3)), (51, (1.0, 1.0)))

DETECTED: Float[Tensor, "68 2"] = torch.cat([torch.tensor([weight]).expand(count, 2) for count, weight in _GROUPS])
EXACT: Float[Tensor, "68 2"] = torch.ones(68, 2)  # of points that stay where they are on the head


class Weights(NamedTuple):
    """Of the terms of the photometric energy, as Deep3DFaceRecon trains with them (Deng et al. 2019)."""

    color: float = 1.92
    landmark: float = 1.6e-3
    identity: float = 3e-4
    expression: float = 2.4e-4
    albedo: float = 5.1e-6
    gamma: float = 10.0
    reflectance: float = 5.0


PUBLISHED = Weights()
