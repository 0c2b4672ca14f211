"""How much each landmark counts in a fit, across and down the picture."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.losses.reconstruction import DEEP3D_WEIGHTS

# When a head turns, a detector's outline of the jaw slides along the silhouette: across the picture it is no point of
# the head, its height still tells how far the head nods.
_GROUPS = ((17, (0.0, 0.3)), (51, (1.0, 1.0)))

DETECTED: Float[Tensor, "68 2"] = torch.cat([torch.tensor([weight]).expand(count, 2) for count, weight in _GROUPS])
EXACT: Float[Tensor, "68 2"] = torch.ones(68, 2)  # of points that stay where they are on the head


class Weights(NamedTuple):
    """Of the terms of the photometric energy.

    `PUBLISHED` are Deep3DFaceRecon's (Deng et al. 2019), for the Basel Face Model. They hardly hold the albedo, which
    then takes over from the light where its modes are strong; the default holds all modes as normal variables and finds
    truer faces. landmark: None weighs landmarks by their noise, as the first stage does.
    """

    color: float = 1.92
    landmark: float | None = None
    identity: float = 3e-4
    expression: float = 3e-4
    albedo: float = 3e-4
    gamma: float = 10.0
    reflectance: float = 0.0

    def of_landmarks(self, count: int, noise: float) -> float:
        """Factor of squared residuals in units of their noise (pixels of the published 224)."""
        return self.identity if self.landmark is None else self.landmark / count * noise**2


PUBLISHED = Weights(
    color=DEEP3D_WEIGHTS.photometric,
    landmark=DEEP3D_WEIGHTS.landmarks,
    identity=DEEP3D_WEIGHTS.coefficients * DEEP3D_WEIGHTS.identity,
    expression=DEEP3D_WEIGHTS.coefficients * DEEP3D_WEIGHTS.expression,
    albedo=DEEP3D_WEIGHTS.coefficients * DEEP3D_WEIGHTS.albedo,
    gamma=DEEP3D_WEIGHTS.light,
    reflectance=DEEP3D_WEIGHTS.reflectance,
)
