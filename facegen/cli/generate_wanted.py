"""`facegen generate` with a diffusion model: pictures that are wanted, and their making in batches."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from facegen.cli import generate_asked, pictures, sampling
from facegen.cli.generate_hints import control_scales
from facegen.data.pictures import to_uint8
from facegen.evaluation.asked import Asked, denoised
from facegen.evaluation.blending import blended_noise
from facegen.evaluation.draws import Grain
from facegen.evaluation.plan import Denoising


class Wanted(NamedTuple):
    """N pictures before they are made: whose seeds, their starting noise, and what they are asked for."""

    seeds: list[int]
    z: Float[Tensor, "picture z_dim"]
    asked: Asked

    def at(self, rows: list[int]) -> "Wanted":
        """Some of them, by number."""
        return Wanted([self.seeds[row] for row in rows], self.z[rows], self.asked.at(rows))


def wanted(generator: Any, seeds: list[int], settings: dict[str, Any]) -> Wanted:
    """One picture per seed."""
    z = blended_noise(seeds, generator.z_dim, sampling.blend(settings))
    return Wanted(seeds, z, generate_asked.asked(generator, seeds, settings))


def denoising(settings: dict[str, Any]) -> Denoising:
    """What the sampler is told."""
    return Denoising(**{name: settings[name] for name in ("sampler", "steps", "guidance", "eta")})


def made(generator: Any, want: Wanted, settings: dict[str, Any], title: str = "pictures") -> Iterator[pictures.Picture]:
    """The pictures, `batch_size` at a time, with a bar of the sampler's steps below that of the pictures."""
    with tqdm(total=len(want.seeds), desc=title, unit="img") as bar:
        for batch in _batches(generator, want, settings):
            bar.update(len(batch))
            yield from batch


def _batches(generator: Any, want: Wanted, settings: dict[str, Any]) -> Iterator[pictures.Pictures]:
    device = next(generator.parameters()).device
    scales = control_scales(generator, settings["control_scales"])
    away = generate_asked.negative(generator, len(want.seeds), settings)
    for start in range(0, len(want.seeds), settings["batch_size"]):
        rows = list(range(start, min(start + settings["batch_size"], len(want.seeds))))
        part = want.at(rows)
        more: dict[str, Any] = {"control_scales": scales}
        if away is not None:
            more["negative"] = {name: [texts[row] for row in rows] for name, texts in away.items()}
        with tqdm(desc="steps", unit="step", leave=False, position=1) as bar:
            more["progress"] = _mover(bar)
            randn = Grain(part.seeds, device)
            images = denoised(generator, part.z.to(device), part.asked, denoising(settings), randn, **more)
        yield rearrange(to_uint8(images), "n c h w -> n h w c").cpu().numpy()


def _mover(bar: Any) -> Any:
    def move(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return move


def cell(want: Wanted, row: int, picture: pictures.Picture) -> pictures.Picture:
    """The picture below the hints that it was made from, where there are some."""
    hints = [to_uint8(2 * hint[row : row + 1] - 1)[0] for hint in want.asked.hints.values()]
    return np.concatenate([*(rearrange(hint, "c h w -> h w c").numpy() for hint in hints), picture])
