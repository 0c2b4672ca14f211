"""`facegen generate` with a diffusion model: pictures, sweeps of poses, and films."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facegen.cli import generate_asked, generate_renders, pictures
from facegen.cli import generate_cameras as look_from
from facegen.cli.generate_hints import control_scales, hint_paths
from facegen.cli.generate_tracks import check_film, slerp
from facegen.cli.generate_wanted import Wanted, cell, denoising, made, wanted
from facegen.data.pictures import save_png
from facegen.evaluation.asked import sampling_of
from facegen.evaluation.people import render_hints

_OF_OTHERS: Mapping[str, Any] = {  # settings of generators with a mapping network or with a volume, and their defaults
    "truncation": 1.0,
    "truncation_cutoff": None,
    "noise_mode": "const",
    "conditioning": "average",
    "neural_resolution": None,
    "sampling_multiplier": 1,
    "depth": False,
    "depth_range": None,
    "volume": False,
    "mesh": False,
}


def check(generator: Any, film: str | None, settings: dict[str, Any]) -> None:
    """ValueError for settings that this model has no use for, or that nothing could be made with."""
    for name, default in _OF_OTHERS.items():
        if settings[name] != default:
            raise ValueError(f"{name}: got {settings[name]!r}, but a diffusion model has no such thing; leave it out")
    if settings["interpolation"] not in (None, "z"):
        raise ValueError(
            f"interpolation: got {settings['interpolation']!r}; of a diffusion model noise moves: z or null"
        )
    sampling_of(generator, denoising(settings))
    control_scales(generator, settings["control_scales"])
    generate_asked.check_conditions(generator, settings)
    if settings["batch_size"] < 1:
        raise ValueError(f"batch_size: got {settings['batch_size']}, expected at least 1")
    if film:
        check_film(settings)
    own = "poses" if settings["poses"] else f"video={film}" if film in ("turntable", "path") else None
    if own and not (generator.label_name == "camera" or generate_renders.rendered(generator)):
        raise ValueError(
            f"{own}: this model is told no pose; expected one with the condition camera, or a control by renders"
        )
    if own and settings["labels"] not in ("average", "none"):
        raise ValueError(f"labels: got {settings['labels']!r}, but {own} has cameras of its own; leave the setting out")


def generate(generator: Any, film: str | None, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """What the settings ask for."""
    check(generator, film, settings)
    if settings["poses"]:
        _save_poses(generator, seeds, settings, outdir)
    if film == "denoising":
        from facegen.cli.generate_denoising import save_denoising

        save_denoising(generator, wanted(generator, seeds, settings), settings, outdir)
    elif film:
        _save_film(generator, film, seeds, settings, outdir)
    if not (settings["poses"] or film):
        _save_pictures(generator, seeds, settings, outdir)


def _save_pictures(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    columns, rows = pictures.grid_size(settings["grid"], len(seeds))
    want, cells = wanted(generator, seeds, settings), []
    for row, (seed, picture) in enumerate(zip(seeds, made(generator, want, settings), strict=True)):
        save_png(picture, outdir / f"seed{seed:04d}.png")
        if len(cells) < columns * rows:
            cells.append(cell(want, row, picture))
    save_png(pictures.grid(cells, columns, rows), outdir / "grid.png")
    print(f"{len(seeds)} pictures and grid.png ({columns}x{rows}) in {outdir}")


def posed(generator: Any, want: Wanted, cameras: look_from.Cameras, settings: dict[str, Any]) -> Wanted:
    """Every picture from every camera, face by face: same noise, same conditions, renders of the same face."""
    count = len(cameras)
    spread = want.at([row for row in range(len(want.seeds)) for _ in range(count)])
    around = cameras.repeat(len(want.seeds), 1)
    c = around if generator.label_name == "camera" else spread.asked.c
    hints = {**spread.asked.hints, **_posed_hints(generator, want.seeds, cameras, settings)}
    return spread._replace(asked=spread.asked._replace(c=c, hints=hints))


def _posed_hints(
    generator: Any, seeds: list[int], cameras: look_from.Cameras, settings: dict[str, Any]
) -> dict[str, Tensor]:
    """Renders of every face from every camera, for the controls that no file is given for."""
    names = [name for name in generate_renders.rendered(generator) if name not in hint_paths(generator, settings)]
    if not names:
        return {}
    columns = generate_renders.face_columns(settings, seeds)
    spread = {name: rows.repeat_interleave(len(cameras), dim=0) for name, rows in columns.items()}
    around = cameras.repeat(len(seeds), 1)
    turned = generate_renders.posed(spread, around, settings)
    return render_hints(names, turned, around, generator.img_resolution, generate_renders.morphable(settings))


def _save_poses(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """One row per seed, over yaw and then over pitch, everything else fixed: single files and grid.png."""
    names, row = look_from.pose_columns(generator, settings)
    want = posed(generator, wanted(generator, seeds, settings), row, settings)
    titles = [f"seed{seed:04d}_{name}.png" for seed in seeds for name in names]
    cells = []
    for place, (title, picture) in enumerate(zip(titles, made(generator, want, settings, "poses"), strict=True)):
        save_png(picture, outdir / title)
        cells.append(cell(want, place, picture))
    save_png(pictures.grid(cells, len(names), len(seeds)), outdir / "grid.png")
    print(f"{len(cells)} pictures and grid.png (columns {', '.join(names)}) in {outdir}")


def _save_film(generator: Any, kind: str, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """`video.mp4`: cameras that move around faces, or noise that moves from seed to seed."""
    columns, rows = pictures.grid_size(settings["grid"] or ("1x1" if kind == "interpolation" else None), len(seeds))
    count = columns * rows
    want = wanted(generator, seeds, settings)
    if kind == "interpolation":
        want, cells = _interpolated(want, settings["frames"], count), count
    else:
        around = getattr(look_from, kind)(generator, settings)
        cells = min(count, len(seeds))
        want = _by_frame(posed(generator, want.at(list(range(cells))), around, settings), cells)
    total = len(want.seeds) // cells
    shots = (cell(want, row, picture) for row, picture in enumerate(made(generator, want, settings, f"video ({kind})")))
    film = (pictures.grid([first, *(next(shots) for _ in range(cells - 1))], columns, rows) for first in shots)
    file = outdir / "video.mp4"
    pictures.save_video(film, file, settings["fps"])
    print(f"{file}: {kind}, {total} frames, {total / settings['fps']:.1f} s, {columns}x{rows} faces")


def _by_frame(want: Wanted, cells: int) -> Wanted:
    """Pictures that come face by face, frame by frame."""
    frames = len(want.seeds) // cells
    return want.at([face * frames + frame for frame in range(frames) for face in range(cells)])


def _interpolated(want: Wanted, frames: int, cells: int) -> Wanted:
    """On the sphere of noise through the seeds and back; cell i starts at seed i, and keeps what that is asked for."""
    count = len(want.seeds)
    if count < 2:
        raise ValueError(f"video: got {count} seed(s); expected two seeds or more to move between")
    t = torch.arange(frames) / frames
    track = torch.cat([slerp(a, b, t) for a, b in zip(want.z, want.z.roll(-1, 0), strict=True)])
    order = [(frame + i * frames) % len(track) for frame in range(len(track)) for i in range(cells)]
    faces = [i % count for _ in range(len(track)) for i in range(cells)]
    return want.at(faces)._replace(z=track[order])
