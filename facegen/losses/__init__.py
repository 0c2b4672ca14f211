"""Losses: plain functions over tensors and networks."""

from facegen.losses.adversarial import discriminator_loss, generator_loss, path_length, path_length_penalty, r1_penalty

__all__ = ["discriminator_loss", "generator_loss", "path_length", "path_length_penalty", "r1_penalty"]
