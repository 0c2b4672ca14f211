"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with limited data")."""

from facegen.networks.ada.controller import AdaController
from facegen.networks.ada.pipe import AugmentPipe
from facegen.networks.ada.presets import AUGMENT_PRESETS

__all__ = ["AUGMENT_PRESETS", "AdaController", "AugmentPipe"]
