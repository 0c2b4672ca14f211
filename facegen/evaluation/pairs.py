"""Pairs of generated pictures as rows of one number: path lengths, diversity, identity across views."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.checkpoint import network_config
from facegen.data.pictures import to_uint8
from facegen.evaluation.asked import Asked, denoised, sampling_of
from facegen.evaluation.draws import Noise
from facegen.evaluation.faces import Pool, asked_of
from facegen.evaluation.plan import Plan
from facegen.evaluation.store import Arrays
from facegen.metrics.path_length import PathLength, path_pairs
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d
from facegen.networks.latents import latents


@dataclass
class PairStream:
    """Row i is a number about two pictures of a generator; `judge` says which. Labels come from the pool, if any."""

    title: str
    rows: int
    batch_size: int
    generator: Any
    weights: str
    plan: Plan
    pool: Pool | None
    judge: Any

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.generator.parameters()).device

    def about(self) -> dict[str, Any]:
        """Network and weights, draws, labels and judge."""
        return {
            "kind": type(self).__name__,
            "network": network_config(self.generator),
            "weights": self.weights,
            "pool": None if self.pool is None else self.pool.digest(),
            "seed": self.plan.seed,
            "truncation": self.plan.truncation,
            "noise_mode": self.plan.noise_mode,
            "batch": self.batch_size,
            "judge": getattr(self.judge, "protocol", self.judge.name),
            **({"sampling": sampling_of(self.generator, self.plan.denoising)} if self.denoises else {}),
        }

    @property
    def denoises(self) -> bool:
        """Whether the generator is a diffusion model."""
        return is_diffusion(self.generator)

    def to(self, device: torch.device) -> None:
        """Move both networks."""
        self.generator.to(device)
        self.judge.to(device)

    def make(self, first: int, count: int) -> Arrays:
        """Numbers of some pairs, float64 (N,)."""
        return {"values": self.numbers(first, count).double().cpu().numpy()}

    def numbers(self, first: int, count: int) -> Tensor:
        """One number for each pair."""
        raise TypeError(f"{type(self).__name__} defines no numbers")

    def _noise(self, first: int, purpose: str) -> Noise:
        return Noise(self.plan.seed, first, f"{type(self).__name__}/{purpose}", self.device)

    def _labels(self, first: int, count: int) -> Tensor:
        """Labels of rows, (count, c_dim)."""
        if self.pool is None:
            return torch.zeros(count, self.generator.c_dim, device=self.device)
        return torch.from_numpy(self.pool.labels[self.pool.places(self.plan.seed, first, count)]).to(self.device)

    def _asked(self, first: int, count: int) -> Asked:
        """What rows are asked for of a diffusion model."""
        return Asked(None) if self.pool is None else asked_of(self.generator, self.pool, self.plan, first, count)

    def _latents(self, first: int, count: int) -> Tensor:
        seeds = range(self.plan.seed + first, self.plan.seed + first + count)
        return latents(list(seeds), self.generator.z_dim).to(self.device)

    def _pictures(self, z: Tensor, told: Tensor, seen: Tensor, noise: Noise) -> Tensor:
        """uint8 pictures."""
        ws = self.generator.mapping(z, told, truncation_psi=self.plan.truncation)
        settings: dict[str, Any] = {"noise_mode": self.plan.noise_mode, "randn": noise.randn}
        if not is_3d(self.generator):
            return to_uint8(self.generator.synthesis(ws, **settings))
        return to_uint8(self.generator.synthesis(ws, seen, rand=noise.rand, **settings).image)

    def _denoised(self, z: Tensor, asked: Asked, noise: Noise) -> Tensor:
        """uint8 pictures of a diffusion model."""
        return to_uint8(denoised(self.generator, z, asked, self.plan.denoising, noise.randn))


class PathStream(PairStream):
    """Path lengths between the latent of seed + i and another one, at a random place of the path."""

    def numbers(self, first: int, count: int) -> Tensor:
        noise, z = self._noise(first, "path"), self._latents(first, count)
        other, t = noise.randn(tuple(z.shape)), noise.rand((count,))
        draws: dict[str, Any] = {"noise_mode": self.plan.noise_mode, "rand": noise.rand, "randn": noise.randn}
        pair = path_pairs(self.generator, z, other, t, self._labels(first, count), **draws)
        metric = PathLength(self.judge)
        metric.update(*pair)
        return torch.cat(list(metric.values))


class DiversityStream(PairStream):
    """Distances of two faces under one label: under different cameras, poses would count as diversity."""

    def numbers(self, first: int, count: int) -> Tensor:
        c, noise = self._labels(first, count), self._noise(first, "pictures")
        pair = [self._latents(first, count), self._noise(first, "others").randn((count, self.generator.z_dim))]
        if self.denoises:
            one, two = (self._denoised(z, self._asked(first, count), noise) for z in pair)
        else:
            one, two = (self._pictures(z, c, c, noise) for z in pair)
        return self.judge(one / 127.5 - 1, two / 127.5 - 1)


class IdentityStream(PairStream):
    """Cosines of the embeddings of a face, made for the average camera and seen from two drawn ones.

    The face of a diffusion model is its noise: two pictures from the same, told two cameras and nothing else.
    """

    def numbers(self, first: int, count: int) -> Tensor:
        pictures = self._views(first, count)
        one, two = (self.judge(each) for each in pictures)
        return F.cosine_similarity(one.double(), two.double(), dim=1)

    def _views(self, first: int, count: int) -> list[Tensor]:
        z, noise = self._latents(first, count), self._noise(first, "views")
        cameras = self._labels(2 * first, 2 * count)
        seen = (cameras[::2], cameras[1::2])
        if self.denoises:
            return [self._denoised(z, Asked(camera), noise) for camera in seen]
        told = self.generator.average_camera().to(z).expand(count, -1)
        return [self._pictures(z, told, camera, noise) for camera in seen]


def pair_values(arrays: Arrays) -> Tensor:
    """The numbers of a store."""
    return torch.from_numpy(np.asarray(arrays["values"], np.float64))
