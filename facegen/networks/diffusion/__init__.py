"""Latent diffusion (Rombach et al. 2022) over diffusers' modules: first stage, denoiser, conditions, control."""

from facegen.networks.diffusion.context import Context, Residuals

__all__ = ["Context", "Residuals"]
