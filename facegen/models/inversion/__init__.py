"""From photographs to latents: W, W+ (Karras et al. 2020, Abdal et al. 2019), pivotal tuning (Roich et al. 2022)."""

from facegen.models.inversion.noise import noise_buffers, noise_regularization, with_noise
from facegen.models.inversion.objective import psnr
from facegen.models.inversion.pictures import Rendered, average_camera, synthesize
from facegen.models.inversion.pivotal import Tuned, pivotal_tuning
from facegen.models.inversion.projection import Inversion, invert, w_statistics

__all__ = [
    "Inversion",
    "Rendered",
    "Tuned",
    "average_camera",
    "invert",
    "noise_buffers",
    "noise_regularization",
    "pivotal_tuning",
    "psnr",
    "synthesize",
    "w_statistics",
    "with_noise",
]
