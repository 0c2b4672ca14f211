"""Fitting a texture decoder and a morphable model to a photograph (FFHQ-UV, Bai et al. 2023, section 4)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.coefficients import Coefficients
from facegen.morphable.fitting import Fitter
from facegen.morphable.model import MorphableModel
from facegen.morphable.uv.charts import chart_of
from facegen.morphable.uv.decoder import SEED, LatentSpace, decode, latent_space, start_latents
from facegen.morphable.uv.paint import Canvas
from facegen.morphable.uv.spherical import SphericalAdam, schedule
from facegen.morphable.uv.texture_losses import JOINT, SEARCH, Drawn, Identity, Observed, Perceptual, texture_loss
from facegen.morphable.uv.textured import Surface, lay_on, seen_surface
from facegen.networks.stylegan2 import Generator

Images = Float[Tensor, "batch 3 side side"]

_SEARCH_RATE, _SEARCH_RAMP = 0.1, 0.25
_JOINT_RATE, _JOINT_RAMP = 0.01, 0.4
_SLOW = 0.05  # rate of pose, and of texture and light unless they are `loose`


class TextureFit(NamedTuple):
    """N fitted faces with textures."""

    coefficients: Float[Tensor, "batch coefficient"]
    latents: Float[Tensor, "batch layer w"]
    textures: Float[Tensor, "batch 3 size size"]  # [-1, 1]
    renders: Images  # [-1, 1], pasted on the photographs
    masks: Float[Tensor, "batch 1 side side"]
    search_losses: Float[Tensor, "batch search_step"]  # before each step of stage 2
    joint_losses: Float[Tensor, "batch joint_step"]  # before each step of stage 3


class _Problem(NamedTuple):
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


def fit_texture(
    model: MorphableModel,
    generator: Generator,
    images: Images,
    landmarks: Float[Tensor, "batch landmark 2"],
    *,
    start: Float[Tensor, "batch coefficient"] | None = None,
    masks: Float[Tensor, "batch 1 side side"] | None = None,
    parsing: Float[Tensor, "batch 1 side side"] | None = None,
    identity: Identity | None = None,
    perceptual: Perceptual | None = None,
    canvas: Canvas | None = None,
    space: LatentSpace | None = None,
    steps: tuple[int, int] = (100, 200),
    loose: bool = False,
    seed: int = SEED,
) -> TextureFit:
    """Fit faces in square photographs ([-1, 1]) with a decoder of textures for the model's chart.

    1. Coefficients: `start`, of a regressor; without one, of `Fitter`.
    2. The texture alone, on a sphere of latents.
    3. Texture, shape, pose and light together.

    landmarks: pixels, y down, (0, 0) the corner. masks: probability of skin. parsing: 1 on the face without what covers
    it. loose: texture and light learn as fast as the shape. Each face is fitted by itself, and the same seed gives the
    same numbers. Raises ValueError for arguments that do not belong together.
    """
    _check(images, landmarks, masks, parsing, steps)
    if start is None:
        start = Fitter(model).fit(images, landmarks.to(images), masks=masks).coefficients
    if not bool(start.isfinite().all()):
        raise ValueError("texture fit: a face has no coefficients to start with; leave it out, or detect it again")
    ones = torch.ones_like(images[:, :1])
    observed = (
        (images + 1) / 2,
        landmarks.to(images),
        ones if parsing is None else parsing,
        ones if masks is None else masks,
    )
    space = latent_space(generator) if space is None else space
    fits = []
    for index in range(len(images)):
        one = Observed(*(part[index : index + 1] for part in observed))
        problem = _Problem(model, generator, one, space, canvas, identity, perceptual)
        fits.append(_fit_one(problem, start[index : index + 1].detach(), steps, _SLOW if not loose else 1.0, seed))
    return TextureFit(*(torch.cat(parts) for parts in zip(*fits, strict=True)))


def _fit_one(
    problem: _Problem, start: Float[Tensor, "1 coefficient"], steps: tuple[int, int], rate: float, seed: int
) -> TextureFit:
    generator = problem.generator.eval()
    trained = [parameter for parameter in generator.parameters() if parameter.requires_grad]
    for parameter in trained:  # gradients of weights would cost as much as those that are needed
        parameter.requires_grad_(False)
    try:
        ws, search_losses = _search(problem, problem.model.split(start), steps[0], seed)
        parts, ws, joint_losses = _joint(problem, problem.model.split(start), ws, steps[1], rate)
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
    return _result(problem, parts, ws, search_losses, joint_losses)


def _search(
    problem: _Problem, parts: Coefficients, steps: int, seed: int
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


def _joint(
    problem: _Problem, parts: Coefficients, ws: Float[Tensor, "1 layer w"], steps: int, rate: float
) -> tuple[Coefficients, Float[Tensor, "1 layer w"], Float[Tensor, "1 step"]]:
    """Stage 3: everything but the albedo's coefficients, which a textured face does not show."""
    ws = ws.clone().requires_grad_()
    free = {name: getattr(parts, name).clone().requires_grad_() for name in parts._fields if name != "albedo"}
    moving = parts._replace(**free)

    def loss() -> Tensor:
        surface, points = problem.surface(moving)
        drawn = Drawn(lay_on(surface, problem.textures(ws)), surface.mask, points, moving, ws)
        return texture_loss(drawn, problem.observed, JOINT, problem.identity, problem.perceptual)

    slow = {"light": rate, "angle": _SLOW, "translation": _SLOW}
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


@torch.no_grad()
def _result(
    problem: _Problem, parts: Coefficients, ws: Tensor, search_losses: Tensor, joint_losses: Tensor
) -> TextureFit:
    surface, _ = problem.surface(parts)
    textures = problem.textures(ws)
    if problem.canvas is not None:
        textures = problem.canvas.finish(textures)
    renders = lay_on(surface, textures) + problem.observed.image * (1 - surface.mask)
    fitted = problem.model.layout.join(parts)
    return TextureFit(fitted, ws, textures * 2 - 1, renders * 2 - 1, surface.mask, search_losses, joint_losses)


def _check(
    images: Tensor, landmarks: Tensor, masks: Tensor | None, parsing: Tensor | None, steps: tuple[int, int]
) -> None:
    count, side = len(images), images.shape[-1]
    if tuple(images.shape) != (count, 3, side, side) or not images.is_floating_point() or not count:
        got = f"{images.dtype} images of shape {tuple(images.shape)}"
        raise ValueError(f"texture fit: got {got}, expected floats in [-1, 1] of shape (N, 3, S, S)")
    if landmarks.ndim != 3 or len(landmarks) != count or landmarks.shape[2] != 2:
        raise ValueError(f"texture fit: got landmarks of shape {tuple(landmarks.shape)}, expected ({count}, L, 2)")
    for name, given in (("masks", masks), ("parsing", parsing)):
        if given is not None and tuple(given.shape) != (count, 1, side, side):
            expected = f"({count}, 1, {side}, {side}) as the images"
            raise ValueError(f"texture fit: got {name} of shape {tuple(given.shape)}, expected {expected}")
    if min(steps) < 0:
        raise ValueError(f"texture fit: got steps {steps}, expected two numbers that are not negative")
