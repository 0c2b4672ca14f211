"""Latent diffusion (Rombach et al. 2022) over diffusers' modules: first stage, denoiser, conditions, control."""

from facegen.networks.diffusion.context import Context, Residuals
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator, is_diffusion
from facegen.networks.diffusion.unet import UNet

__all__ = ["Context", "ControlBranch", "FirstStage", "LatentGenerator", "Residuals", "UNet", "is_diffusion"]
