"""Fitting a texture decoder and a morphable model to a photograph (FFHQ-UV, Bai et al. 2023, section 4)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.coefficients import Coefficients
from facegen.morphable.fitting import Fitter
from facegen.morphable.model import MorphableModel
from facegen.morphable.uv.decoder import SEED, LatentSpace, latent_space
from facegen.morphable.uv.paint import Canvas
from facegen.morphable.uv.texture_losses import Identity, Observed, Perceptual
from facegen.morphable.uv.texture_stages import SLOW, Problem, joint, search
from facegen.morphable.uv.textured import lay_on
from facegen.networks.stylegan2 import Generator

Images = Float[Tensor, "batch 3 side side"]


class TextureFit(NamedTuple):
    """N fitted faces with textures."""

    coefficients: Float[Tensor, "batch coefficient"]
    latents: Float[Tensor, "batch layer w"]
    textures: Float[Tensor, "batch 3 size size"]  # [-1, 1]
    renders: Images  # [-1, 1], pasted on the photographs
    masks: Float[Tensor, "batch 1 side side"]
    search_losses: Float[Tensor, "batch search_step"]  # before each step of stage 2
    joint_losses: Float[Tensor, "batch joint_step"]  # before each step of stage 3


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
        problem = Problem(model, generator, one, space, canvas, identity, perceptual)
        fits.append(_fit_one(problem, start[index : index + 1].detach(), steps, SLOW if not loose else 1.0, seed))
    return TextureFit(*(torch.cat(parts) for parts in zip(*fits, strict=True)))


def _fit_one(
    problem: Problem, start: Float[Tensor, "1 coefficient"], steps: tuple[int, int], rate: float, seed: int
) -> TextureFit:
    generator = problem.generator.eval()
    trained = [parameter for parameter in generator.parameters() if parameter.requires_grad]
    for parameter in trained:  # gradients of weights would cost as much as those that are needed
        parameter.requires_grad_(False)
    try:
        ws, search_losses = search(problem, problem.model.split(start), steps[0], seed)
        parts, ws, joint_losses = joint(problem, problem.model.split(start), ws, steps[1], rate)
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
    return _result(problem, parts, ws, search_losses, joint_losses)


@torch.no_grad()
def _result(
    problem: Problem, parts: Coefficients, ws: Tensor, search_losses: Tensor, joint_losses: Tensor
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
