"""LightningModules: networks, losses and optimisers joined."""

from facegen.models.adversarial import AdversarialTraining, TrainingDiverged
from facegen.models.stylegan2 import StyleGAN2

__all__ = ["AdversarialTraining", "StyleGAN2", "TrainingDiverged"]
