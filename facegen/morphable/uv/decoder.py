"""Textures from a StyleGAN2 generator that was trained on them, and the latents that FFHQ-UV searches it with."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.uv.paint import Canvas
from facegen.networks.stylegan2 import Generator

SEED = 123  # of everything random in the published fitting
_BATCH = 10_000


class LatentSpace(NamedTuple):
    """Mean and deviation of mapped latents w; latents z of the search stand for w = z * deviation + mean."""

    mean: Float[Tensor, "1 1 w"]
    deviation: Float[Tensor, "1 1 w"]

    def to_w(self, z: Float[Tensor, "batch layer w"]) -> Float[Tensor, "batch layer w"]:
        """Latents of the synthesis network."""
        return z * self.deviation + self.mean

    def to_z(self, w: Float[Tensor, "batch layer w"]) -> Float[Tensor, "batch layer w"]:
        """The inverse of `to_w`."""
        return (w - self.mean) / self.deviation


@torch.no_grad()
def latent_space(generator: Generator, samples: int = 100_000, seed: int = SEED) -> LatentSpace:
    """Measure a generator's w: as many samples as FFHQ-UV draws, its seed, the same on every machine."""
    z = np.random.RandomState(seed).randn(samples, generator.z_dim).astype(np.float32)
    like = next(generator.parameters())
    mapped = [generator.mapping(part.to(like), None)[:, 0].double() for part in torch.from_numpy(z).split(_BATCH)]
    w = torch.cat(mapped)
    mean, deviation = w.mean(dim=0), w.std(dim=0, correction=0)
    return LatentSpace(mean.to(like)[None, None], deviation.to(like)[None, None])


def start_latents(layers: int, width: int, seed: int = SEED) -> Float[Tensor, "1 layer w"]:
    """Where FFHQ-UV's search begins: one vector per layer, drawn by NumPy's legacy generator."""
    return torch.from_numpy(np.random.RandomState(seed).randn(1, layers, width)).float()


def decode(
    generator: Generator, ws: Float[Tensor, "batch layer w"], canvas: Canvas | None = None
) -> Float[Tensor, "batch 3 size size"]:
    """Textures in [0, 1] (not clipped) of latents; `canvas` for a decoder that draws only the face."""
    textures = (generator.synthesis(ws, noise_mode="const") + 1) / 2
    return textures if canvas is None else canvas.paint(textures)
