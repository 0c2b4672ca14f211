"""What the first stages of latent diffusion are trained with (Rombach et al. 2022, appendix G; Esser et al. 2021)."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

CEILING = 1e4  # of the adaptive weight, as published
_EPS = 1e-4  # keeps the ratio of gradients finite where the adversarial one vanishes


def kl_divergence(mean: Float[Tensor, "batch ..."], logvar: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """Kullback-Leibler divergence of independent normal distributions from the standard one, summed per sample."""
    return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).flatten(1).sum(dim=1)


def gaussian_nll(
    x: Float[Tensor, "batch ..."], mean: Float[Tensor, "batch ..."], logvar: Float[Tensor, "batch ..."]
) -> Float[Tensor, " batch"]:
    """Negative log-likelihood of `x` under independent normal distributions, summed per sample."""
    terms = math.log(2 * math.pi) + logvar + (x - mean).square() * (-logvar).exp()
    return 0.5 * terms.flatten(1).sum(dim=1)


def reconstruction_nll(
    images: Float[Tensor, "batch 3 height width"],
    targets: Float[Tensor, "batch 3 height width"],
    perceptual: Float[Tensor, " batch"] | None = None,
    log_variance: float = 0.0,
) -> Float[Tensor, "batch 3 height width"]:
    """Absolute and perceptual error of every number of a picture, as the negative logarithm of a likelihood.

    `perceptual`, one for each picture, counts at each of its numbers. KL models take the sum per sample, VQ models the
    mean.
    """
    errors = (images - targets).abs()
    if perceptual is not None:
        errors = errors + perceptual[:, None, None, None]
    return errors * math.exp(-log_variance) + log_variance


def hinge_generator_loss(fake_logits: Tensor) -> Float[Tensor, ""]:
    """The mean of what the discriminator says of reconstructions, negated (Lim and Ye 2017)."""
    return -fake_logits.mean()


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Float[Tensor, ""]:
    """Half the sum of how far real logits fall below 1 and others rise above -1, on average."""
    return 0.5 * (F.relu(1.0 - real_logits).mean() + F.relu(1.0 + fake_logits).mean())


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, ceiling: float = CEILING) -> Float[Tensor, ""]:
    """How much of an adversarial loss is as strong as the reconstruction's (Esser et al. 2021, equation 7).

    The ratio of the norms of both gradients at the last layer, between 0 and `ceiling`; so the weighted adversarial
    gradient is never longer there than the other. 0 where one of them is not finite: the step does without.
    """
    ratio = reconstruction.detach().norm() / (adversarial.detach().norm() + _EPS)
    return torch.where(ratio.isfinite(), ratio, torch.zeros_like(ratio)).clamp(0.0, ceiling)


def psnr(differences: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
    """Peak signal-to-noise ratio in decibels, of the differences of images in [-1, 1]; 120 where there is none."""
    return -10 * torch.log10(differences.square().mean(dim=(1, 2, 3)) / 4 + 1e-12)
