"""The numbers that describe one face in one picture, in Deep3DFaceRecon's order."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_POSE_AND_LIGHT = (3, 27, 3)  # angle, light, translation
LIGHT = (3, 9)  # channels x harmonics


class Coefficients(NamedTuple):
    """The parts of (N, K) coefficients.

    `identity`, `expression` and `albedo` count standard deviations of the model's modes. `angle` (radians) and
    `translation` (decimetres) pose the head (`geometry.cameras.head_rotation`). `light` is 3 channels x 9 harmonics,
    added to the model's initial light.
    """

    identity: Float[Tensor, "batch identity"]
    expression: Float[Tensor, "batch expression"]
    albedo: Float[Tensor, "batch albedo"]
    angle: Float[Tensor, "batch 3"]
    light: Float[Tensor, "batch 27"]
    translation: Float[Tensor, "batch 3"]


class Layout(NamedTuple):
    """How many coefficients of each kind a model has; the Basel Face Model as Deep3DFaceRecon packs it: 80, 64, 80."""

    identity: int = 80
    expression: int = 64
    albedo: int = 80

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of all parts in their order."""
        return (*self, *_POSE_AND_LIGHT)

    @property
    def total(self) -> int:
        """How many coefficients there are: 257 for the Basel Face Model."""
        return sum(self.sizes)

    def split(self, coefficients: Float[Tensor, "batch coefficient"]) -> Coefficients:
        """Views of the parts. Raises ValueError for coefficients of a model with other numbers."""
        if coefficients.ndim != 2 or coefficients.shape[1] != self.total:
            kinds = f"{self.identity} identity, {self.expression} expression, {self.albedo} albedo, 33 pose and light"
            raise ValueError(
                f"coefficients: got shape {tuple(coefficients.shape)}, expected (N, {self.total}) for this morphable "
                f"model ({kinds}); use the model that they were fitted with"
            )
        return Coefficients(*coefficients.split(self.sizes, dim=1))

    def join(self, parts: Coefficients) -> Float[Tensor, "batch coefficient"]:
        """The inverse of `split`."""
        return torch.cat(parts, dim=1)

    def zeros(self, batch: int, **kwargs: torch.dtype | torch.device) -> Float[Tensor, "batch coefficient"]:
        """Coefficients of the mean face, frontal, in the model's initial light."""
        return torch.zeros(batch, self.total, **kwargs)  # pyright: ignore[reportCallIssue, reportArgumentType]
