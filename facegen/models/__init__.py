"""LightningModules: networks, losses and optimisers joined."""

from facegen.models.adversarial import AdversarialTraining
from facegen.models.autoencoder import Autoencoder
from facegen.models.control_net import ControlNet
from facegen.models.eg3d import EG3D
from facegen.models.gradients import TrainingDiverged
from facegen.models.latent_diffusion import LatentDiffusion
from facegen.models.parser import FaceParser
from facegen.models.reconstruction import Reconstruction
from facegen.models.reconstruction_known import KnownFaces
from facegen.models.reconstruction_photographs import Photographs
from facegen.models.stylegan2 import StyleGAN2

__all__ = [
    "EG3D",
    "AdversarialTraining",
    "Autoencoder",
    "ControlNet",
    "FaceParser",
    "KnownFaces",
    "LatentDiffusion",
    "Photographs",
    "Reconstruction",
    "StyleGAN2",
    "TrainingDiverged",
]
