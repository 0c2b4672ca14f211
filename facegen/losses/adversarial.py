"""The non-saturating GAN loss and its two regularisers (Goodfellow 2014; Mescheder 2018; Karras 2020)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.ops.differentiable import input_gradients_only


def generator_loss(fake_logits: Tensor) -> Tensor:
    """`-log sigmoid(D(G(z)))` for every logit."""
    return F.softplus(-fake_logits)


def discriminator_loss(real_logits: Tensor | None = None, fake_logits: Tensor | None = None) -> Tensor:
    """`-log sigmoid(D(x))` for real logits, `-log(1 - sigmoid(D(G(z))))` for fake ones, or their sum."""
    terms = []
    if real_logits is not None:
        terms.append(F.softplus(-real_logits))
    if fake_logits is not None:
        terms.append(F.softplus(fake_logits))
    if not terms:
        raise ValueError("discriminator_loss: got neither real nor fake logits, expected at least one")
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def r1_penalty(images: Tensor | Sequence[Tensor], logits: Tensor) -> Tensor:
    """Squared gradient norm of the discriminator at real images, per sample (Mescheder et al. 2018, equation 9).

    images: (N, C, H, W) that require a gradient, or several that the discriminator sees together; logits: (N, 1)
    computed from them. Returns (N,).
    """
    inputs = [images] if isinstance(images, Tensor) else list(images)
    with input_gradients_only():
        gradients = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return torch.stack([gradient.square().sum(dim=[1, 2, 3]) for gradient in gradients]).sum(dim=0)


def path_length(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Length of the Jacobian-vector product `J_w^T y`, per sample (Karras et al. 2020, equation 4).

    images: (N, C, H, W) synthesised from ws: (N, num_ws, w_dim); noise: standard normal, like images. Returns (N,).
    """
    height, width = images.shape[2:]
    projected = (images * (noise / (height * width) ** 0.5)).sum()
    with input_gradients_only():
        (jacobian,) = torch.autograd.grad(projected, ws, create_graph=True)
    return jacobian.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(lengths: Tensor, average: Tensor) -> Tensor:
    """`(length - a)^2` per sample. `average` is not detached: the published gradient flows through it too."""
    return (lengths - average).square()
