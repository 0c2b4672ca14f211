"""Losses: plain functions over tensors and networks."""

from facegen.losses.adversarial import discriminator_loss, generator_loss, path_length, path_length_penalty, r1_penalty
from facegen.losses.density import density_monotonicity, density_smoothness
from facegen.losses.perceptual import perceptual_distance

__all__ = [
    "density_monotonicity",
    "density_smoothness",
    "discriminator_loss",
    "generator_loss",
    "path_length",
    "path_length_penalty",
    "perceptual_distance",
    "r1_penalty",
]
