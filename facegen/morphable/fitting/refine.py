"""Adam on everything that can be differentiated: for terms without normal equations, such as a face network's."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.losses.reconstruction import (
    DEEP3D_WEIGHTS,
    LossTerms,
    LossWeights,
    coefficient_loss,
    identity_feature_loss,
    landmark_loss,
    light_loss,
    photometric_loss,
    reflectance_loss,
)
from facegen.morphable.model import Face, MorphableModel
from facegen.morphable.render import render

Embed = Callable[[Float[Tensor, "batch 3 side side"]], Float[Tensor, "batch feature"]]
_POSE_RATE = 0.1  # of the rate of the other coefficients: radians and decimetres are large


class Given(NamedTuple):
    """What N faces are refined to. images: [0, 1]. landmarks: pixels, y down, or None."""

    images: Float[Tensor, "batch 3 side side"]
    masks: Float[Tensor, "batch 1 side side"]
    landmarks: Float[Tensor, "batch landmark 2"] | None


def refine(
    model: MorphableModel,
    coefficients: Float[Tensor, "batch coefficient"],
    given: Given,
    embed: Embed | None,
    steps: int,
    rate: float = 0.01,
    weights: LossWeights = DEEP3D_WEIGHTS,
) -> tuple[Float[Tensor, "batch coefficient"], Float[Tensor, " batch"]]:
    """Minimise Deep3DFaceRecon's losses per face, silhouettes included; returns coefficients and the last losses.

    embed: pictures in [-1, 1] to features of unit length; their cosine with those of the photograph is a term. What it
    is shown is the render pasted onto the photograph. The model's perspective must be that of the pictures.
    """
    parts = [part.detach().clone().requires_grad_() for part in model.split(coefficients)]
    groups = [{"params": [part], "lr": rate * (_POSE_RATE if k in (3, 5) else 1)} for k, part in enumerate(parts)]
    optimizer = torch.optim.Adam(groups)
    seen = None if embed is None else embed(given.images * 2 - 1)
    losses = given.images.new_zeros(len(coefficients))
    for _ in range(steps):
        with torch.enable_grad():
            now = torch.cat(parts, dim=1)
            losses = _losses(model, now, given, embed, seen, weights)
            gradients = torch.autograd.grad(losses.sum(), parts, allow_unused=True)
        for part, gradient in zip(parts, gradients, strict=True):
            part.grad = gradient
        optimizer.step()
    return torch.cat(parts, dim=1).detach(), losses.detach()


def _losses(
    model: MorphableModel, now: Tensor, given: Given, embed: Embed | None, seen: Tensor | None, weights: LossWeights
) -> Float[Tensor, " batch"]:
    """Total of each face: every face is a batch of its own, so that none disturbs another."""
    face = model(now)
    drawn = render(model, face, background=given.images * 2 - 1, antialiased=True)
    features = None if embed is None else embed(drawn.images)
    return torch.stack(
        [
            _terms(model, now, face, drawn.images, drawn.masks, given, features, seen, row).total(weights)
            for row in range(len(now))
        ]
    )


def _terms(
    model: MorphableModel,
    now: Tensor,
    face: Face,
    images: Tensor,
    masks: Tensor,
    given: Given,
    features: Tensor | None,
    seen: Tensor | None,
    row: int,
) -> LossTerms:
    one = slice(row, row + 1)
    identity, expression, albedo, _, light, _ = model.split(now[one])
    nothing = now.new_zeros([])
    points = model.perspective.image_points(face.camera[one][:, model.landmarks]) * (224 / images.shape[-1])
    return LossTerms(
        nothing if features is None or seen is None else identity_feature_loss(features[one], seen[one]),
        photometric_loss((images[one] + 1) / 2, given.images[one], masks[one] * given.masks[one]),
        coefficient_loss(identity, expression, albedo),
        light_loss(light),
        nothing if given.landmarks is None else landmark_loss(points, given.landmarks[one] * (224 / images.shape[-1])),
        reflectance_loss(face.albedo[one], model.skin),
    )
