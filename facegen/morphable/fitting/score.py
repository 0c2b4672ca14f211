"""How likely it is that a fit failed: the criterion by which datasets are cleaned of faces that resist fitting."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Evidence(NamedTuple):
    """What speaks for a failure, per face; each is about 1 where everything is as the model expects it.

    landmarks: mean squared residual in units of the noise. shape: mean squared coefficients. interval: half width of
    the yaw's 90 % interval in degrees. color: robust colour difference on the skin (0 without a picture).
    """

    landmarks: Float[Tensor, " batch"]
    shape: Float[Tensor, " batch"]
    interval: Float[Tensor, " batch"]
    color: Float[Tensor, " batch"]


def failure_score(evidence: Evidence) -> Float[Tensor, " batch"]:
    """Probability that the pose is off by more than 5 degrees, in [0, 1]; 1 where evidence is not finite."""
    values = torch.stack(evidence, dim=-1).clamp(min=0)
    logits = (torch.log1p(values) * values.new_tensor(_SLOPES)).sum(dim=-1) + _OFFSET
    return torch.where(logits.isfinite(), torch.sigmoid(logits), 1.0)


_SLOPES, _OFFSET = (2.0, 2.0, 1.0, 0.0), -6.0
