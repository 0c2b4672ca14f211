"""What a diffusion model is asked for a wish: label, conditions, and pictures that control it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import cache_folder
from facegen.data.hint_faces import RENDERS
from facegen.data.hints import LANDMARKS
from facegen.evaluation.asked import Asked, denoised
from facegen.evaluation.blending import blended_noise
from facegen.evaluation.draws import Grain
from facegen.evaluation.people import Columns, drawn_people, render_hints
from facegen.evaluation.plan import Denoising
from facegen.explore.rooms.generator.loaded import Loaded
from facegen.explore.rooms.generator.seen import Made, camera, label, picture_of
from facegen.explore.rooms.generator.wishes import Picture, Wish
from facegen.morphable.procedural import ProceduralHead, load_head

DRAWN = (*RENDERS, LANDMARKS)  # hints that a person's coefficients give
Report = Callable[[int, int], None]  # steps that are done, and of how many
_WHOLE, _COARSE = 1.0, 0.1  # detail of the heads that `facegen generate` draws conditions and hints with


def denoised_picture(source: Loaded, wish: Wish, report: Report) -> Made:
    """The picture of a wish. Raises ValueError for what the model cannot do, and whatever `report` raises."""
    network, told = source.network, wish.denoise
    device = next(network.parameters()).device
    z = blended_noise([wish.seed], network.z_dim, wish.blend).to(device)
    c, hints = _label(source, wish), _hints(source, wish)
    asked = Asked(c, _conditions(source, wish), {name: _tensor(picture) for name, picture in hints.items()})
    more: dict[str, Any] = {"control_scales": told.strength} if hints else {}
    if told.negative and (name := text_name(source)) is not None:
        more["negative"] = {name: [told.negative]}
    how = Denoising(told.sampler, told.steps, told.guidance)
    images = denoised(network, z, asked, how, Grain([wish.seed], device), progress=report, **more)
    return Made(picture_of(images), hints, c[0].tolist() if c is not None and source.has_camera else None)


def text_name(source: Loaded) -> str | None:
    """The condition that is a text."""
    return next((name for name, kind in source.conditions.items() if kind == "text"), None)


def _label(source: Loaded, wish: Wish) -> Float[Tensor, "1 c_dim"] | None:
    if source.has_camera:
        return camera(source.network, wish.angle) if wish.denoise.told_camera else None
    return label(source.network, wish.label) if source.classes and wish.label is not None else None


def _conditions(source: Loaded, wish: Wish) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if wish.denoise.prompt and (name := text_name(source)) is not None:
        found[name] = [wish.denoise.prompt]
    if wish.denoise.person and "coefficients" in source.conditions:
        rows = torch.cat(list(_person(wish.seed, _WHOLE).values()), dim=1)
        size = source.network.conditioner.inputs["coefficients"]["size"]
        if rows.shape[1] != size:
            raise ValueError(f"person: got {rows.shape[1]} coefficients, expected {size}, of another morphable model")
        found["coefficients"] = rows
    return found


def _hints(source: Loaded, wish: Wish) -> dict[str, Picture]:
    """The pictures of the visitor, and of the seed's person for controls without one."""
    found = {name: picture for name, picture in wish.hints.items() if name in source.controls}
    names = [name for name in source.controls if name in DRAWN and name not in found]
    if wish.denoise.person and names:
        side = source.network.img_resolution
        drawn = render_hints(names, _person(wish.seed, _COARSE), camera(source.network, wish.angle), side, None)
        found |= {name: picture_of(2 * picture - 1) for name, picture in drawn.items()}
    return found


@lru_cache(maxsize=2)
def _head(detail: float) -> ProceduralHead:
    return load_head(cache_folder(), detail)


def _person(seed: int, detail: float) -> Columns:
    return drawn_people(_head(detail), [seed])


def _tensor(picture: Picture) -> Float[Tensor, "1 3 side side"]:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
