"""The spread of latents while an autoencoder trains: diffusion wants them with unit variance."""

import torch
from torch import Tensor, nn

from facegen.models.distributed import mean_over_processes
from facegen.networks.diffusion.first_stage import FirstStage

_KEPT = 0.99  # of the estimate at each step, once there is one


class LatentScale(nn.Module):
    """Running mean and mean square of latents, whose scale a first stage keeps (Rombach et al. 2022, appendix G).

    Over about a hundred steps instead of the first batch, as the encoder changes while it trains.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sums: Tensor
        self.register_buffer("sums", torch.zeros(3, dtype=torch.float64))  # weight, mean, mean square

    @torch.no_grad()
    def observe(self, network: FirstStage, latents: Tensor) -> None:
        """Take the latents of a step into account and set the network's `scaling_factor` to 1 / their deviation.

        A step whose latents are not finite is left out.
        """
        found = torch.stack([torch.ones_like(latents).mean(), latents.mean(), latents.square().mean()])
        found = mean_over_processes(found.to(self.sums))
        if not bool(found.isfinite().all()):
            return
        self.sums.lerp_(found, 1 - _KEPT)
        mean, square = self.sums[1] / self.sums[0], self.sums[2] / self.sums[0]
        deviation = (square - mean.square()).sqrt()
        if bool(deviation > 0):
            network.scaling_factor.copy_(1 / deviation)
