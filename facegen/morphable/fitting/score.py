"""How likely it is that a fit failed: the criterion by which datasets are cleaned of faces that resist fitting."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Evidence(NamedTuple):
    """What speaks for a failure, per face.

    landmarks: mean squared residual in units of the noise, with the coefficients' squares (0 without landmarks).
    shape: mean squared coefficients of identity and expression. color: mean distance of the fitted colours from the
    picture's, by the picture's contrast on the face (NaN without a picture).
    """

    landmarks: Float[Tensor, " batch"]
    shape: Float[Tensor, " batch"]
    color: Float[Tensor, " batch"]


class _Logistic(NamedTuple):
    slopes: tuple[float, ...]
    offset: float


_LANDMARKS = _Logistic((2.102, 0.489), -5.728)  # found by benchmarks/fit_score.py
_PICTURE = _Logistic((3.511, 0.0, 4.09), -5.153)  # found by experiments/fitting/photographs.py


def features(evidence: Evidence) -> Float[Tensor, "batch feature"]:
    """What the probability is logistic in: logarithms of two numbers, of three with a picture."""
    logs = [torch.log1p(value.clamp(min=0)) for value in evidence[:2]]
    known = [] if bool(evidence.color.isnan().all()) else [evidence.color.clamp(min=1e-3).log()]
    return torch.stack([*logs, *known], dim=-1)


def failure_score(evidence: Evidence) -> Float[Tensor, " batch"]:
    """Probability that the pose is off by more than some degrees; 1 where evidence is not finite.

    With a picture it is calibrated on 723 photographs whose face a detector had found, 3 % of them with a yaw more than
    8 degrees off: most scores are small, and their order says which faces to look at. Without one it is calibrated
    on synthetic faces with spoilt landmarks, and says whether the landmarks make a face, not whether it is the face in
    the picture: a detector that sees a profile from in front is found by colours only.
    """
    values = features(evidence)
    slopes, offset = _PICTURE if values.shape[1] > len(_LANDMARKS.slopes) else _LANDMARKS
    logits = values @ values.new_tensor(slopes) + offset
    return torch.where(logits.isfinite(), torch.sigmoid(logits), 1.0)
