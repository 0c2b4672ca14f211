"""What FFHQ-UV (Bai et al. 2023, section 4) fits a texture decoder with; see also `losses.reconstruction`."""

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.losses.reconstruction import light_loss

_EPS = 1e-9  # under the roots of distances between latents
_WIDTH = 512  # by which the published loss counts latents, whatever their size
_MONOCHROME = 9  # harmonics of a light without colour

Images = Float[Tensor, "batch 3 height width"]
Latents = Float[Tensor, "batch layer latent"]


def masked_absolute_loss(
    images: Images, targets: Images, masks: Float[Tensor, "batch 1 height width"]
) -> Float[Tensor, ""]:
    """Absolute differences of masked pixels, summed over channels, averaged over the mask of the whole batch.

    Colours in [0, 1] for the published weights. An empty mask gives 0.
    """
    return ((images - targets) * masks).abs().sum() / masks.sum().clamp(min=1.0)


def geodesic_cross_loss(latents: Latents) -> Float[Tensor, ""]:
    """How far the vectors of a latent are from each other on the sphere (PULSE, Menon et al. 2020); 0 for one vector.

    64 times the mean over all pairs of their squared angles, as 2 atan2(|a - b|, |a + b|), summed over the batch.
    """
    if latents.shape[1] == 1:
        return latents.new_zeros([])
    a, b = latents[:, None], latents[:, :, None]
    apart, together = (((a + sign * b).square().sum(dim=-1) + _EPS).sqrt() for sign in (-1, 1))
    angles = 2 * torch.atan2(apart, together)
    return (angles.square() * _WIDTH).mean(dim=(1, 2)).sum() / 8


def latent_deviation_loss(latents: Latents, mean: Float[Tensor, "1 1 latent"]) -> Float[Tensor, ""]:
    """Mean squared distance of the vectors to the mean latent, summed over the batch."""
    return (latents - mean).square().mean(dim=(1, 2)).sum()


def mirror_loss(texture: Images, mask: Images, dim: int = 3) -> Float[Tensor, ""]:
    """Mean squared difference to the texture mirrored along `dim`, inside mask and mirrored mask.

    Summed over the batch. FFHQ-UV's function of this purpose, which it does not use, mirrors the channels (`dim=1`).
    """
    difference = (texture - texture.flip(dim)) * mask * mask.flip(dim)
    return difference.square().mean(dim=(1, 2, 3)).sum()


def white_light_loss(light: Float[Tensor, "batch light"]) -> Float[Tensor, ""]:
    """`light_loss` of 27 numbers; 0 for the 9 of a light without colour."""
    return light.new_zeros([]) if light.shape[1] == _MONOCHROME else light_loss(light)
