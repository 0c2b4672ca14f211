"""`facegen generate video=denoising`: what a diffusion model believes the picture to be, step by step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from facegen.cli import pictures
from facegen.cli.generate_wanted import Wanted, cell, denoising, made
from facegen.data.pictures import to_uint8
from facegen.evaluation.asked import sampling_of


class Beliefs:
    """While it is open, collects the clean latents that every prediction of a model amounts to, guidance included."""

    def __init__(self, generator: Any, count: int, guidance: float) -> None:
        self.generator, self.count, self.guidance = generator, count, guidance
        self.found: list[Float[Tensor, "picture channel height width"]] = []

    def __enter__(self) -> "Beliefs":
        self._hook = self.generator.denoiser.register_forward_hook(self._note)
        return self

    def __exit__(self, *raised: object) -> None:
        self._hook.remove()

    def _note(self, denoiser: Any, told: tuple[Any, ...], prediction: Tensor) -> None:
        x, t = told[:2]
        if len(x) > self.count:  # without conditions, then with them
            without, having = prediction.chunk(2)
            x, prediction = x[: self.count], without + self.guidance * (having - without)
        self.found.append(self.generator.process.clean(prediction, x, t))


def save_denoising(generator: Any, want: Wanted, settings: dict[str, Any], outdir: Path) -> None:
    """`video.mp4`: all pictures together; a second of the finished ones at the end."""
    columns, rows = pictures.grid_size(settings["grid"], len(want.seeds))
    want = want.at(list(range(min(len(want.seeds), columns * rows))))
    how, count = sampling_of(generator, denoising(settings)), len(want.seeds)
    with Beliefs(generator, count, how["guidance"]) as beliefs:
        ready = list(made(generator, want, {**settings, "batch_size": count}))
    each = max(settings["frames"] // len(beliefs.found), 1)
    total = each * len(beliefs.found) + settings["fps"]
    film = _sheets(generator, want, beliefs.found, ready, each, settings["fps"])
    sheets = (pictures.grid(cells, columns, rows) for cells in film)
    file = outdir / "video.mp4"
    pictures.save_video(tqdm(sheets, total=total, desc="video (denoising)", unit="frame"), file, settings["fps"])
    print(f"{file}: denoising, {len(beliefs.found)} steps, {total} frames, {columns}x{rows} faces")


@torch.no_grad()
def _sheets(
    generator: Any, want: Wanted, beliefs: list[Tensor], ready: list[pictures.Picture], each: int, last: int
) -> Iterator[list[pictures.Picture]]:
    """The cells of every frame."""
    for latents in beliefs:
        shown = rearrange(to_uint8(generator.decode(latents)), "n c h w -> n h w c").cpu().numpy()
        cells = [cell(want, row, picture) for row, picture in enumerate(shown)]
        yield from [cells] * each
    yield from [[cell(want, row, picture) for row, picture in enumerate(ready)]] * last
