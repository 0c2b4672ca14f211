"""StyleGAN2 (Karras et al. 2020) with the parameter and buffer names of the official PyTorch release."""

from facegen.networks.stylegan2.discriminator import Discriminator, DiscriminatorBlock, DiscriminatorEpilogue
from facegen.networks.stylegan2.generator import Generator, SynthesisBlock, SynthesisLayer, SynthesisNetwork, ToRGBLayer
from facegen.networks.stylegan2.layers import (
    Conv2dLayer,
    FullyConnectedLayer,
    MappingNetwork,
    MinibatchStdLayer,
    normalize_2nd_moment,
)

__all__ = [
    "Conv2dLayer",
    "Discriminator",
    "DiscriminatorBlock",
    "DiscriminatorEpilogue",
    "FullyConnectedLayer",
    "Generator",
    "MappingNetwork",
    "MinibatchStdLayer",
    "SynthesisBlock",
    "SynthesisLayer",
    "SynthesisNetwork",
    "ToRGBLayer",
    "normalize_2nd_moment",
]
