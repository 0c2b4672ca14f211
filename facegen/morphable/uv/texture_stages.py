"""The two searches of the texture fitting: for a texture alone, and for everything together."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.coefficients import Coefficients
from facegen.morphable.model import MorphableModel
from facegen.morphable.uv.charts import chart_of
from facegen.morphable.uv.decoder import LatentSpace, decode, start_latents
from facegen.morphable.uv.paint import Canvas
from facegen.morphable.uv.spherical import SphericalAdam, schedule
from facegen.morphable.uv.texture_losses import JOINT, SEARCH, Drawn, Identity, Observed, Perceptual, texture_loss
from facegen.morphable.uv.textured import Surface, lay_on, seen_surface
from facegen.networks.stylegan2 import Generator

_SEARCH_RATE, _SEARCH_RAMP = 0.1, 0.25
_JOINT_RATE, _JOINT_RAMP = 0.01, 0.4
SLOW = 0.05  # factor of the rate of pose, and of texture and light unless they are to learn freely


class Problem(NamedTuple):
    """One photograph and everything that stays the same while it is fitted."""

    model: MorphableModel
    generator: Generator
    observed: Observed
    space: LatentSpace
    canvas: Canvas | None
    identity: Identity | None
    perceptual: Perceptual | None

    def surface(self, parts: Coefficients) -> tuple[Surface, Float[Tensor, "1 landmark 2"]]:
        """What the camera sees, and where the landmarks are in the photograph."""
        face, side = self.model(self.model.layout.join(parts)), self.observed.image.shape[-1]
        points = self.model.perspective.at(side).image_points(face.camera[:, self.model.landmarks])
        return seen_surface(self.model, chart_of(self.model), face, side), points

    def textures(self, ws: Float[Tensor, "1 layer w"]) -> Float[Tensor, "1 3 size size"]:
        """What the decoder draws, in [0, 1]."""
        return decode(self.generator, ws, self.canvas)


def search(
    problem: Problem, parts: Coefficients, steps: int, seed: int
) -> tuple[Float[Tensor, "1 layer w"], Float[Tensor, "1 step"]]:
    """Stage 2: the shape is fixed, so that it is rasterised once."""
    with torch.no_grad():
        surface, points = problem.surface(parts)
    latents = start_latents(problem.generator.num_ws, problem.generator.w_dim, seed).to(surface.shading)
    latents.requires_grad_()

    def loss() -> Tensor:
        ws = problem.space.to_w(latents)
        drawn = Drawn(lay_on(surface, problem.textures(ws)), surface.mask, points, parts, ws)
        return texture_loss(drawn, problem.observed, SEARCH, problem.identity, problem.perceptual)

    losses = _descend(SphericalAdam([latents]), [_SEARCH_RATE], loss, steps, _SEARCH_RAMP)
    return problem.space.to_w(latents.detach()), losses


def joint(
    problem: Problem, parts: Coefficients, ws: Float[Tensor, "1 layer w"], steps: int, rate: float
) -> tuple[Coefficients, Float[Tensor, "1 layer w"], Float[Tensor, "1 step"]]:
    """Stage 3: everything but the albedo's coefficients, which a textured face does not show."""
    ws = ws.clone().requires_grad_()
    free = {name: getattr(parts, name).clone().requires_grad_() for name in parts._fields if name != "albedo"}
    moving = parts._replace(**free)

    def loss() -> Tensor:
        surface, points = problem.surface(moving)
        drawn = Drawn(lay_on(surface, problem.textures(ws)), surface.mask, points, moving, ws)
        return texture_loss(drawn, problem.observed, JOINT, problem.identity, problem.perceptual)

    slow = {"light": rate, "angle": SLOW, "translation": SLOW}
    rates = [_JOINT_RATE * rate, *(_JOINT_RATE * slow.get(name, 1.0) for name in free)]
    optimizer = torch.optim.Adam([{"params": [tensor]} for tensor in (ws, *free.values())], lr=_JOINT_RATE)
    losses = _descend(optimizer, rates, loss, steps, _JOINT_RAMP)
    return Coefficients(*(part.detach() for part in moving)), ws.detach(), losses


def _descend(
    optimizer: torch.optim.Optimizer, rates: list[float], loss: Callable[[], Tensor], steps: int, ramp: float
) -> Float[Tensor, "1 step"]:
    losses = []
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(step, steps, ramp)
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.detach())
    return torch.stack(losses)[None] if losses else torch.zeros(1, 0)
