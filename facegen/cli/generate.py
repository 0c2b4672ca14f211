"""`facegen generate`: pictures, grids and films from a trained generator."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from facegen.cli import pictures, sampling
from facegen.data.pictures import save_png

CONFIG = "generate"
HELP = """\
Pictures, a grid or an interpolation video from a run, an export or an NVIDIA pickle.

Writes one seedNNNN.png per seed and grid.png, or with video=true one video.mp4, to outdir.

Examples:
  facegen generate checkpoint=runs/NAME seeds=0-7
  facegen generate checkpoint=runs/NAME seeds=0,3,10-12 truncation=0.7 outdir=faces
  facegen generate checkpoint=ffhq.pkl seeds=0-31 grid=8x4      an official StyleGAN2 pickle, read as data
  facegen generate checkpoint=export/ seeds=0-5 video=true      an mp4 from seed to seed and back to the first
  facegen generate checkpoint=runs/NAME labels=3                class 3 of a class-conditional generator
  facegen generate checkpoint=runs/NAME labels=cameras.npy      one camera (25 numbers) per row

A seed is the same face here and in NVIDIA's scripts. truncation=0.7 trades variety for looks."""


def run(cfg: DictConfig) -> None:
    """Generate what the configuration asks for."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    seeds = sampling.parse_seeds(settings["seeds"])
    generator = sampling.load_generator(str(settings["checkpoint"]), settings["device"])
    outdir = Path(str(settings["outdir"])).expanduser()
    if settings["video"]:
        _video(generator, seeds, settings, outdir)
    else:
        _pictures(generator, seeds, settings, outdir)


def _latents(generator: Any, seeds: list[int], settings: dict[str, Any]) -> tuple[Tensor, Tensor]:
    z = sampling.latents(seeds, generator.z_dim)
    return z, sampling.labels(settings["labels"], len(seeds), generator.c_dim)


def _ws(generator: Any, z: Tensor, c: Tensor, settings: dict[str, Any]) -> Float[Tensor, "sample num_ws w_dim"]:
    return sampling.map_latents(generator, z, c, settings["truncation"], settings["truncation_cutoff"])


def _pictures(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    columns, rows = pictures.grid_size(settings["grid"], len(seeds))
    ws = _ws(generator, *_latents(generator, seeds, settings), settings)
    made = sampling.images(generator, ws, settings["noise_mode"], settings["batch_size"])
    cells = []
    for seed, picture in zip(seeds, tqdm(made, total=len(seeds), desc="pictures", unit="img"), strict=True):
        save_png(picture, outdir / f"seed{seed:04d}.png")
        if len(cells) < columns * rows:
            cells.append(picture)
    save_png(pictures.grid(cells, columns, rows), outdir / "grid.png")
    print(f"{len(seeds)} pictures and grid.png ({columns}x{rows}) in {outdir}")


def _video(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    columns, rows = pictures.grid_size(settings["grid"] or "1x1", 1)
    frames, fps = settings["frames"], settings["fps"]
    if len(seeds) < 2 or frames < 1 or fps < 1:
        raise ValueError(
            f"video: got {len(seeds)} seed(s), frames={frames}, fps={fps}; expected two seeds or more, and at least 1"
        )
    keys_z, keys_c = _latents(generator, seeds, settings)
    tracks = [_track(generator, keys_z.roll(-i, 0), keys_c.roll(-i, 0), settings) for i in range(columns * rows)]
    total = len(seeds) * frames
    film = _film(generator, tracks, settings, columns, rows)
    path = outdir / "video.mp4"
    pictures.save_video(tqdm(film, total=total, desc="video", unit="frame"), path, fps)
    print(f"{path}: {total} frames, {total / fps:.1f} s, through {len(seeds)} seeds and back to the first")


def _track(generator: Any, z: Tensor, c: Tensor, settings: dict[str, Any]) -> Float[Tensor, "frame num_ws w_dim"]:
    """ws of every frame of a closed path through the key frames."""
    steps = torch.arange(settings["frames"]) / settings["frames"]
    if settings["interpolation"] == "z":
        between = [slerp(a, b, steps) for a, b in zip(z, z.roll(-1, 0), strict=True)]
        labels = [torch.lerp(a, b, steps[:, None]) for a, b in zip(c, c.roll(-1, 0), strict=True)]
        return _ws(generator, torch.cat(between), torch.cat(labels), settings)
    if settings["interpolation"] != "w":
        raise ValueError(f"interpolation: got {settings['interpolation']!r}, expected w or z")
    ws = _ws(generator, z, c, settings)
    steps = steps.to(ws.device)[:, None, None]
    return torch.cat([torch.lerp(a, b, steps) for a, b in zip(ws, ws.roll(-1, 0), strict=True)])


def slerp(a: Float[Tensor, " z_dim"], b: Float[Tensor, " z_dim"], t: Float[Tensor, " step"]) -> Tensor:
    """Spherical interpolation (Shoemake 1985) of direction, linear of length: (step, z_dim), a at t=0 and b at t=1."""
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1)).clamp_min(1e-6)
    t = t[:, None]
    direction = torch.sin((1 - t) * angle) * a / a.norm() + torch.sin(t * angle) * b / b.norm()
    return direction / torch.sin(angle) * torch.lerp(a.norm(), b.norm(), t)


def _film(
    generator: Any, tracks: list[Tensor], settings: dict[str, Any], columns: int, rows: int
) -> Iterator[pictures.Picture]:
    """Frames, each a grid with one cell per track."""
    ws = torch.stack(tracks, dim=1).flatten(0, 1)
    made = sampling.images(generator, ws, settings["noise_mode"], settings["batch_size"])
    for first in made:
        yield pictures.grid([first, *(next(made) for _ in tracks[1:])], columns, rows)
