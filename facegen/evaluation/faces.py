"""Generated pictures as rows of features: what the seeds of a plan become, seen by the cameras of recipes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facegen.checkpoint import network_config
from facegen.data.pictures import to_uint8
from facegen.evaluation.asked import Asked, RealFaces, asked_of_faces, denoised, sampling_of
from facegen.evaluation.draws import Noise, places
from facegen.evaluation.pixels import pixel_rows
from facegen.evaluation.plan import Plan
from facegen.evaluation.store import Arrays
from facegen.evaluation.streams import extract
from facegen.metrics.extractors import Extractor
from facegen.metrics.fid3d import AVERAGE, SAME, Mode
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d
from facegen.networks.latents import latents


@dataclass(frozen=True)
class Pool:
    """Labels that generated pictures draw theirs from, (items, c_dim), and whose they are.

    faces: those with these labels, where pictures are asked for more than labels.
    """

    name: str
    owner: str  # the recipe's fingerprint: draws do not depend on what it is called
    labels: np.ndarray
    faces: RealFaces | None = None

    def places(self, seed: int, first: int, count: int) -> np.ndarray:
        """Which items pictures `first` to `first + count` draw."""
        return places(seed, self.owner, first, count, len(self.labels))

    def digest(self) -> str:
        """sha256 of what can be drawn."""
        labels = hashlib.sha256(self.labels.tobytes()).hexdigest()
        return labels if self.faces is None else f"{labels}+{self.faces.digest()}"


@dataclass
class FaceStream:
    """Pictures of a generator in some modes; row i of every mode has the latent of seed + i.

    A generator without cameras to look with has the modes "same": labels of its pool, or none.
    """

    title: str
    rows: int
    batch_size: int
    generator: Any
    weights: str
    extractor: Extractor
    plan: Plan
    modes: tuple[Mode, ...]
    pools: tuple[Pool, ...]

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.generator.parameters()).device

    def about(self) -> dict[str, Any]:
        """Network and weights, draws, cameras and extractor."""
        return {
            "kind": "generated",
            "network": network_config(self.generator),
            "weights": self.weights,
            "modes": [tuple(self._owner(name) for name in mode) for mode in self.modes],
            "pools": [pool.digest() for pool in self.pools],
            "seed": self.plan.seed,
            "truncation": self.plan.truncation,
            "noise_mode": self.plan.noise_mode,
            "batch": self.batch_size,
            "extractor": self.extractor.protocol,
            **({"sampling": sampling_of(self.generator, self.plan.denoising)} if self._denoises else {}),
        }

    @property
    def _denoises(self) -> bool:
        return is_diffusion(self.generator)

    def _owner(self, name: str) -> str:
        return next((pool.owner for pool in self.pools if pool.name == name), name)

    def to(self, device: torch.device) -> None:
        """Move both networks."""
        self.generator.to(device)
        self.extractor.to(device)

    def make(self, first: int, count: int) -> Arrays:
        """Generate some pictures in all modes, and look at all of them together."""
        z = latents(list(range(self.plan.seed + first, self.plan.seed + first + count)), self.generator.z_dim)
        cameras = {pool.name: self._drawn(pool, first, count + 1).to(self.device) for pool in self.pools}
        draw = self._views if is_3d(self.generator) else self._denoised if self._denoises else self._pictures
        made = {mode: (to_uint8(image), label) for mode, image, label in draw(z.to(self.device), cameras, first)}
        images = torch.cat([made[mode][0] for mode in self.modes])
        features = np.split(extract(self.extractor, images), len(self.modes))
        rows: Arrays = {}
        for number, mode in enumerate(self.modes):
            image, label = made[mode]
            rows |= {f"features_{number}": features[number], f"labels_{number}": label.cpu().numpy()}
            rows |= {f"pixels_{number}": pixel_rows(image)}
        return rows

    def _drawn(self, pool: Pool, first: int, count: int) -> Tensor:
        return torch.from_numpy(pool.labels[pool.places(self.plan.seed, first, count)])

    def _map(self, z: Tensor, c: Tensor) -> Tensor:
        return self.generator.mapping(z, c, truncation_psi=self.plan.truncation)

    def _noise(self, first: int, purpose: str, device: torch.device) -> Noise:
        return Noise(self.plan.seed, first, purpose, device)

    def _pictures(self, z: Tensor, cameras: dict[str, Tensor], first: int) -> Iterator[tuple[Mode, Tensor, Tensor]]:
        """Pictures of a generator that takes no camera to look with."""
        for mode in self.modes:
            c = cameras[mode.rendering][:-1] if self.generator.c_dim else z.new_zeros(len(z), 0)
            randn = self._noise(first, self._owner(mode.rendering), z.device).randn
            image = self.generator.synthesis(self._map(z, c), noise_mode=self.plan.noise_mode, randn=randn)
            yield mode, image, c

    def _denoised(self, z: Tensor, cameras: dict[str, Tensor], first: int) -> Iterator[tuple[Mode, Tensor, Tensor]]:
        """Pictures of a diffusion model, asked for what real faces of the mode's pool have."""
        for mode in self.modes:
            pool = next((pool for pool in self.pools if pool.name == mode.rendering), None)
            wanted = Asked(None)
            if pool is not None:
                wanted = asked_of(self.generator, pool, self.plan, first, len(z))
            randn = self._noise(first, self._owner(mode.rendering), z.device).randn
            image = denoised(self.generator, z, wanted, self.plan.denoising, randn)
            yield mode, image, z.new_zeros(len(z), 0) if wanted.c is None else wanted.c

    def _views(self, z: Tensor, cameras: dict[str, Tensor], first: int) -> Iterator[tuple[Mode, Tensor, Tensor]]:
        """One mapping and one set of planes for each conditioning camera, rendered from every camera it is asked for.

        Sample i of the stream "drawn from Y" conditions on camera i of Y, and of the stream "drawn from X" is rendered
        from camera i of X; where X is Y the rendering camera is that of sample i + 1, which is independent of it.
        """
        for conditioning in dict.fromkeys(_conditioning(mode) for mode in self.modes):
            c = cameras[conditioning][:-1] if conditioning != AVERAGE else self.generator.average_camera().to(z)
            ws = self._map(z, c.expand(len(z), -1))
            purpose = self._owner(conditioning)
            planes = self.generator.planes(ws, self.plan.noise_mode, self._noise(first, purpose, z.device).randn)
            for mode in (mode for mode in self.modes if _conditioning(mode) == conditioning):
                drawn = cameras[mode.rendering]
                seen = drawn[1:] if mode.conditioning == mode.rendering else drawn[:-1]
                noise = self._noise(first, "/".join(self._owner(name) for name in mode), z.device)
                settings = {"noise_mode": self.plan.noise_mode, "rand": noise.rand, "randn": noise.randn}
                yield mode, self.generator.synthesis(ws, seen, planes=planes, **settings).image, seen


def asked_of(generator: Any, pool: Pool, plan: Plan, first: int, count: int) -> Asked:
    """What pictures `first` to `first + count` of a diffusion model are asked for."""
    chosen = pool.places(plan.seed, first, count)
    c = torch.from_numpy(pool.labels[chosen]) if generator.c_dim else None
    if pool.faces is None:
        return Asked(c)
    noise = Noise(plan.seed, first, f"asked/{pool.owner}", torch.device("cpu"))
    return asked_of_faces(generator, pool.faces.batch(chosen), noise)._replace(c=c)


def _conditioning(mode: Mode) -> str:
    """The camera that the mapping network is told."""
    return mode.rendering if mode.conditioning == SAME else mode.conditioning
