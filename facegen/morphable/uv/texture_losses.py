"""What the texture fitting minimises: FFHQ-UV's weights (Bai et al. 2023, section 4 and its published settings)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.alignment import identity_crop, identity_transforms
from facegen.losses.reconstruction import identity_feature_loss, landmark_loss, landmark_weights
from facegen.losses.uv_fitting import geodesic_cross_loss, masked_absolute_loss, white_light_loss
from facegen.morphable.coefficients import Coefficients

PIXELS = 224  # of the picture that the landmarks' weight belongs to

Images = Float[Tensor, "batch 3 side side"]
Points = Float[Tensor, "batch landmark 2"]
# crops of faces (112 pixels, [-1, 1], `geometry.alignment.identity_crop`) to embeddings of any length
Identity = Callable[[Float[Tensor, "batch 3 112 112"]], Float[Tensor, "batch feature"]]
# two batches of images in [-1, 1] to distances, as `losses.perceptual_distance` gives them
Perceptual = Callable[[Images, Images], Float[Tensor, " batch"]]


class TextureWeights(NamedTuple):
    """Weights of the losses."""

    features: float = 0.0
    color: float = 0.0
    perceptual: float = 0.0
    latents: float = 0.05
    identity: float = 0.0
    expression: float = 0.0
    light: float = 0.0
    landmarks: float = 0.0


SEARCH = TextureWeights(features=10.0, color=10.0, perceptual=100.0)  # stage 2
JOINT = TextureWeights(0.2, 1.6, 0.0, 0.05, identity=2e-4, expression=1.6e-3, light=10.0, landmarks=2e-3)  # stage 3


class Observed(NamedTuple):
    """A photograph to fit to. `parsing` is 1 on the face, `skin` the probability of skin."""

    image: Images  # [0, 1]
    landmarks: Points  # pixels, y down
    parsing: Float[Tensor, "batch 1 side side"]
    skin: Float[Tensor, "batch 1 side side"]


class Drawn(NamedTuple):
    """What the present numbers give."""

    image: Images  # [0, 1], 0 outside of the mask
    mask: Float[Tensor, "batch 1 side side"]
    landmarks: Points
    coefficients: Coefficients
    latents: Float[Tensor, "batch layer w"]


def texture_loss(
    drawn: Drawn,
    observed: Observed,
    weights: TextureWeights,
    identity: Identity | None = None,
    perceptual: Perceptual | None = None,
) -> Float[Tensor, ""]:
    """The weighted sum; the losses of networks that are not given count nothing.

    The drawing is pasted on the photograph before networks look at it; where it ends is not differentiated.
    """
    mask, target = drawn.mask.detach(), observed.image
    pasted = drawn.image * mask + target * (1 - mask)
    inside = mask * observed.parsing
    parts = drawn.coefficients
    total = weights.color * masked_absolute_loss(pasted, target, inside * observed.skin)
    total = total + weights.latents * geodesic_cross_loss(drawn.latents)
    total = total + weights.identity * parts.identity.square().sum() / len(target)
    total = total + weights.expression * parts.expression.square().sum() / len(target)
    total = total + weights.light * white_light_loss(parts.light)
    total = total + weights.landmarks * _landmarks(drawn.landmarks, observed)
    if identity is not None and weights.features:
        with torch.no_grad():
            theirs = _embedding(identity, target, observed.landmarks)
        ours = _embedding(identity, pasted, drawn.landmarks.detach())
        total = total + weights.features * identity_feature_loss(ours, theirs)
    if perceptual is not None and weights.perceptual:
        pair = [image * inside * 2 - 1 for image in (pasted, target)]
        total = total + weights.perceptual * perceptual(*pair).sum()
    return total


def _embedding(identity: Identity, images: Images, landmarks: Points) -> Float[Tensor, "batch feature"]:
    crops = identity_crop(images * 2 - 1, identity_transforms(landmarks - 0.5))
    return F.normalize(identity(crops), dim=1)


def _landmarks(points: Points, observed: Observed) -> Float[Tensor, ""]:
    """Weighted as Deep3DFaceRecon's 68; another number, as REALY's 86, all alike."""
    scale = PIXELS / observed.image.shape[-1]
    weights = landmark_weights(points) if points.shape[1] == 68 else points.new_ones(points.shape[1])
    return landmark_loss(points * scale, observed.landmarks * scale, weights)
