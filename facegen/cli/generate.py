"""`facegen generate`: pictures, films, volumes and meshes from a trained generator."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from facegen.cli import pictures, sampling
from facegen.cli.generate_tracks import check_film, closed_track
from facegen.data.pictures import save_png
from facegen.evaluation.blending import Blend, blended
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d

CONFIG = "generate"
HELP = """\
Pictures, films, pose grids, depth, volumes and meshes from a run, an export or an NVIDIA pickle.

Writes one seedNNNN.png per seed and grid.png to outdir, or instead what poses, video, volume and mesh ask for.

Examples:
  facegen generate checkpoint=runs/NAME seeds=0-7
  facegen generate checkpoint=runs/NAME seeds=0,3,10-12 truncation=0.7 outdir=faces
  facegen generate checkpoint=ffhq.pkl seeds=0-31 grid=8x4      an official pickle, read as data
  facegen generate checkpoint=export/ seeds=0-5 video=true      an mp4 from seed to seed and back to the first
  facegen generate checkpoint=runs/NAME seeds=3 towards=[7,0.5] mix=[9,4,8]     half-way to 7, layers 4 to 8 of 9
  facegen generate checkpoint=runs/NAME labels=3                class 3 of a class-conditional generator
  facegen generate checkpoint=runs/NAME labels=cameras.npy      one camera (25 numbers) per row

Examples with EG3D, whose faces are three-dimensional:
  facegen generate checkpoint=runs/NAME seeds=0-3 poses=grid    a row per face, over yaw and over pitch
  facegen generate checkpoint=runs/NAME seeds=0-3 depth=true    coloured depth, and distances as .npy
  facegen generate checkpoint=runs/NAME seeds=0 video=turntable frames=120 depth=true
  facegen generate checkpoint=runs/NAME seeds=0-3 video=turntable yaw_degrees=[-180,180]     all around
  facegen generate checkpoint=runs/NAME seeds=0 video=path frames=120 sampling_multiplier=2      EG3D's small ellipse
  facegen generate checkpoint=runs/NAME seeds=0 mesh=true volume=true      seed0000.ply, .glb and _volume.npz
  facegen generate checkpoint=runs/NAME labels=cameras.npy conditioning=same

Examples with diffusion models, whose seeds are starting noise:
  facegen generate checkpoint=runs/NAME seeds=0-7 steps=20 sampler=dpm++2m guidance=2
  facegen generate checkpoint=runs/NAME prompt="a woman with blond hair" negative=glasses guidance=4
  facegen generate checkpoint=runs/NAME coefficients=fits/coeff seeds=0-7       faces as facegen fit found them
  facegen generate checkpoint=runs/NAME poses=grid seeds=0-3                    one noise, one camera after the other
  facegen generate checkpoint=runs/CONTROLNET hint=masks/ control_scales=0.8 seeds=0-7
  facegen generate checkpoint=runs/CONTROLNET poses=grid coefficients=face.mat  renders of one face from all sides
  facegen generate checkpoint=runs/NAME video=denoising seeds=0-3

A seed is the same face here and in NVIDIA's scripts. truncation=0.7 trades variety for looks. `labels` are the cameras
that look at an EG3D face, `conditioning` is the one its mapping network is told; both are frontal by default."""
_FILMS = ("interpolation", "turntable", "path", "denoising")
_OF_DIFFUSION = (
    *("sampler", "steps", "guidance", "eta", "prompt", "negative", "class_label", "coefficients", "hint", "hints"),
    "control_scales",
)


def run(cfg: DictConfig) -> None:
    """Generate what the configuration asks for."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    seeds = sampling.parse_seeds(settings["seeds"])
    film = _film_kind(settings["video"])
    if film == "interpolation" and sampling.blend(settings) != Blend():
        raise ValueError("towards, mix: got them with a film from seed to seed; expected null, or pictures")
    if settings["poses"] not in (None, False, "grid"):
        raise ValueError(f"poses: got {settings['poses']!r}, expected grid or null")
    generator = sampling.load_generator(str(settings["checkpoint"]), settings["device"])
    outdir = Path(str(settings["outdir"])).expanduser()
    if is_diffusion(generator):
        from facegen.cli import generate_diffusion

        generate_diffusion.generate(generator, film, seeds, settings, outdir)
        return
    _refuse_diffusion(generator, film, settings)
    if is_3d(generator):
        _three_dimensional(generator, film, seeds, settings, outdir)
        return
    _refuse_3d(generator, film, settings)
    if film:
        _video(generator, seeds, settings, outdir)
    else:
        _pictures(generator, seeds, settings, outdir)


def _film_kind(value: Any) -> str | None:
    if value in (None, False):
        return None
    if value is True:
        return "interpolation"
    if value not in _FILMS:
        raise ValueError(f"video: got {value!r}, expected {', '.join(_FILMS)}, true (interpolation) or null")
    return value


def _three_dimensional(
    generator: Any, film: str | None, seeds: list[int], settings: dict[str, Any], outdir: Path
) -> None:
    from facegen.cli import generate_shapes, generate_views

    shapes = settings["volume"] or settings["mesh"]
    generate_views.check(generator, film, settings)
    generate_shapes.check(settings)
    for name in ("depth_resolution", "depth_resolution_importance"):
        generator.rendering_kwargs[name] *= settings["sampling_multiplier"]
    if settings["poses"]:
        generate_views.save_poses(generator, seeds, settings, outdir)
    if film:
        generate_views.save_film(generator, film, seeds, settings, outdir)
    if shapes:
        generate_shapes.save_shapes(generator, seeds, settings, outdir)
    if not (settings["poses"] or film or shapes):
        generate_views.save_pictures(generator, seeds, settings, outdir)


def _refuse_diffusion(generator: Any, film: str | None, settings: dict[str, Any]) -> None:
    """ValueError where another generator is asked for what only a diffusion model has."""
    asked = [name for name in _OF_DIFFUSION if settings[name] is not None]
    asked += ["video=denoising"] if film == "denoising" else []
    if asked:
        kind = type(generator).__module__.split(".")[-2]
        raise ValueError(f"{asked[0]}: got a {kind} generator, which makes faces at once; expected a diffusion model")


def _refuse_3d(generator: Any, film: str | None, settings: dict[str, Any]) -> None:
    """ValueError where an image generator is asked for what only a 3D one has."""
    asked = [name for name in ("poses", "depth", "volume", "mesh", "neural_resolution") if settings[name]]
    asked += [f"video={film}"] if film in ("turntable", "path") else []
    asked += ["conditioning"] if settings["conditioning"] != "average" else []
    if asked:
        kind = type(generator).__module__.split(".")[-2]
        raise ValueError(
            f"{asked[0]}: got a {kind} generator, which makes images without depth; expected one of EG3D, whose faces "
            "cameras can go around"
        )


def _latents(generator: Any, seeds: list[int], settings: dict[str, Any]) -> tuple[Tensor, Tensor]:
    z = sampling.latents(seeds, generator.z_dim)
    return z, sampling.labels(settings["labels"], len(seeds), generator.c_dim)


def _pictures(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    columns, rows = pictures.grid_size(settings["grid"], len(seeds))
    c = sampling.labels(settings["labels"], len(seeds), generator.c_dim)
    how = settings["truncation"], sampling.checked_cutoff(settings["truncation_cutoff"])
    ws = blended(generator, seeds, c, sampling.blend(settings), *how)
    made = sampling.images(generator, ws, settings["noise_mode"], settings["batch_size"])
    cells = []
    for seed, picture in zip(seeds, tqdm(made, total=len(seeds), desc="pictures", unit="img"), strict=True):
        save_png(picture, outdir / f"seed{seed:04d}.png")
        if len(cells) < columns * rows:
            cells.append(picture)
    save_png(pictures.grid(cells, columns, rows), outdir / "grid.png")
    print(f"{len(seeds)} pictures and grid.png ({columns}x{rows}) in {outdir}")


def _video(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    check_film(settings)
    columns, rows = pictures.grid_size(settings["grid"] or "1x1", 1)
    z, c = _latents(generator, seeds, settings)
    tracks = [closed_track(generator, z.roll(-i, 0), c.roll(-i, 0), settings) for i in range(columns * rows)]
    total, fps = len(seeds) * settings["frames"], settings["fps"]
    film = _film(generator, tracks, settings, columns, rows)
    path = outdir / "video.mp4"
    pictures.save_video(tqdm(film, total=total, desc="video", unit="frame"), path, fps)
    print(f"{path}: {total} frames, {total / fps:.1f} s, through {len(seeds)} seeds and back to the first")


def _film(
    generator: Any, tracks: list[Tensor], settings: dict[str, Any], columns: int, rows: int
) -> Iterator[pictures.Picture]:
    """Frames, each a grid with one cell per track."""
    ws = torch.stack(tracks, dim=1).flatten(0, 1)
    made = sampling.images(generator, ws, settings["noise_mode"], settings["batch_size"])
    for first in made:
        yield pictures.grid([first, *(next(made) for _ in tracks[1:])], columns, rows)
