"""What Deep3DFaceRecon (Deng et al. 2019, section 3) trains with: no face in a photograph needs a known shape."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

_EPS = 1e-6  # keeps the root's gradient finite where the colours agree
_INNER_LANDMARKS = ((28, 31), (60, 68))  # bridge of the nose and inner lips (iBUG order)
_INNER_WEIGHT = 20.0
_CHANNELS = 3

Images = Float[Tensor, "batch 3 height width"]


class LossWeights(NamedTuple):
    """Weights of the losses in the order of the total; `coefficients` is on top of the three of its kinds."""

    identity_features: float = 0.2
    photometric: float = 1.92
    coefficients: float = 3e-4
    identity: float = 1.0
    expression: float = 0.8
    albedo: float = 1.7e-2
    light: float = 10.0
    landmarks: float = 1.6e-3
    reflectance: float = 5.0


DEEP3D_WEIGHTS = LossWeights()
LPFF_WEIGHTS = LossWeights(identity_features=1.0, identity=0.2)  # of the copy with which LPFF was made


class LossTerms(NamedTuple):
    """Unweighted losses of one batch, each a scalar."""

    identity_features: Tensor
    photometric: Tensor
    coefficients: Tensor
    light: Tensor
    landmarks: Tensor
    reflectance: Tensor

    def total(self, weights: LossWeights = DEEP3D_WEIGHTS) -> Tensor:
        """The weighted sum."""
        chosen = weights._asdict()
        return sum(
            (value * chosen[name] for name, value in self._asdict().items()), start=self.photometric.new_zeros([])
        )


def photometric_loss(
    images: Images, targets: Images, masks: Float[Tensor, "batch 1 height width"]
) -> Float[Tensor, ""]:
    """Distance of the colours of a pixel, averaged over the mask (0 to 1) of the whole batch (equation 1).

    Colours in [0, 1] for the published weight. An empty mask gives 0.
    """
    distances = ((images - targets).square().sum(dim=1, keepdim=True) + _EPS).sqrt()
    return (distances * masks).sum() / masks.sum().clamp(min=1.0)


def landmark_weights(like: Float[Tensor, "batch 68 2"]) -> Float[Tensor, " 68"]:
    """20 on the bridge of the nose and the inner lips, 1 elsewhere."""
    weights = like.new_ones(like.shape[1])
    for start, stop in _INNER_LANDMARKS:
        weights[start:stop] = _INNER_WEIGHT
    return weights


def landmark_loss(
    points: Float[Tensor, "batch 68 2"],
    targets: Float[Tensor, "batch 68 2"],
    weights: Float[Tensor, " 68"] | None = None,
) -> Float[Tensor, ""]:
    """Squared distance in pixels, weighted and averaged over points and batch (equation 2).

    Pixels of 224 for the published weight. `weights`: by default `landmark_weights`.
    """
    weights = landmark_weights(points) if weights is None else weights
    return (weights * (points - targets).square().sum(dim=-1)).mean()


def coefficient_loss(
    identity: Float[Tensor, "batch identity"],
    expression: Float[Tensor, "batch expression"],
    albedo: Float[Tensor, "batch albedo"],
    weights: Sequence[float] = (DEEP3D_WEIGHTS.identity, DEEP3D_WEIGHTS.expression, DEEP3D_WEIGHTS.albedo),
) -> Float[Tensor, ""]:
    """Squared norm of each kind of coefficients, weighted, averaged over the batch (equation 4): stay near the mean."""
    parts = zip(weights, (identity, expression, albedo), strict=True)
    total = sum((weight * part.square().sum() for weight, part in parts), start=identity.new_zeros([]))
    return total / len(identity)


def light_loss(light: Float[Tensor, "batch 27"]) -> Float[Tensor, ""]:
    """Mean square of how far each channel of the light is from the mean of the three: light is nearly white."""
    channels = light.unflatten(1, (_CHANNELS, -1))
    return (channels - channels.mean(dim=1, keepdim=True)).square().mean()


def reflectance_loss(albedo: Float[Tensor, "batch vertex 3"], skin: Float[Tensor, " vertex"]) -> Float[Tensor, ""]:
    """Variance of the albedo over the skin (equation 5): shading belongs to the light. Colours in [0, 1]."""
    mask = skin[:, None]
    mean = (albedo * mask).sum(dim=1, keepdim=True) / mask.sum()
    return ((albedo - mean) * mask).square().sum() / (len(albedo) * mask.sum())


def identity_feature_loss(
    features: Float[Tensor, "batch feature"], targets: Float[Tensor, "batch feature"]
) -> Float[Tensor, ""]:
    """1 minus the cosine of embeddings of unit length from a face recognition network (equation 3), batch mean."""
    return (1 - (features * targets).sum(dim=-1)).mean()
