"""`facegen generate` with EG3D: pictures, grids of poses, and films."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from facegen.cli import generate_cameras as look_from
from facegen.cli import pictures, sampling
from facegen.cli.generate_faces import Face, cell, depth_limits, face_of_seed, look, make_face, save_view
from facegen.cli.generate_tracks import check_film, closed_track
from facegen.data.pictures import save_png

_MOST_TIMES = 16  # 48 + 48 samples become 1536: beyond that memory goes and nothing is gained
Sheets = tuple[int, Iterator[list[pictures.Picture]]]  # number of frames, and the cells of each, made when asked for


def check(generator: Any, film: str | None, settings: dict[str, Any]) -> None:
    """ValueError for settings that no view could be made with, before the first one is."""
    sampling.check_noise_mode(settings["noise_mode"])
    depth_limits(generator, settings)
    look_from.pose_columns(generator, settings)
    if film:
        check_film(settings)
    side = settings["neural_resolution"]
    if side is not None and (type(side) is not int or side < 1):
        raise ValueError(f"neural_resolution: got {side!r}, expected a number of pixels or null")
    times = settings["sampling_multiplier"]
    if not 1 <= times <= _MOST_TIMES:
        raise ValueError(f"sampling_multiplier: got {times}, expected 1 to {_MOST_TIMES}")
    own = "poses" if settings["poses"] else f"video={film}" if film in ("turntable", "path") else None
    if own and settings["labels"] != "average":
        raise ValueError(f"labels: got {settings['labels']!r}, but {own} has cameras of its own; leave the setting out")


def save_pictures(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """One picture per seed, from its camera, and a grid."""
    columns, rows = pictures.grid_size(settings["grid"], len(seeds))
    seen_from = look_from.rendering(generator, settings["labels"], len(seeds))
    told = look_from.conditioning(generator, settings, seen_from)
    cells = []
    for seed, camera, condition in zip(tqdm(seeds, desc="pictures", unit="img"), seen_from, told, strict=True):
        view = look(generator, face_of_seed(generator, seed, condition, settings), camera, settings)
        save_view(generator, view, settings, outdir / f"seed{seed:04d}")
        if len(cells) < columns * rows:
            cells.append(cell(generator, view, settings))
    save_png(pictures.grid(cells, columns, rows), outdir / "grid.png")
    print(f"{len(seeds)} pictures and grid.png ({columns}x{rows}) in {outdir}")


def save_poses(generator: Any, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """One row per seed, over yaw and then over pitch: single files and grid.png."""
    names, row = look_from.pose_columns(generator, settings)
    views = _views(generator, seeds, row, settings)
    cells = []
    labelled = [(seed, name) for seed in seeds for name in names]
    for (seed, name), view in zip(tqdm(labelled, desc="poses", unit="img"), views, strict=True):
        save_view(generator, view, settings, outdir / f"seed{seed:04d}_{name}")
        cells.append(cell(generator, view, settings, axis=0))
    save_png(pictures.grid(cells, len(names), len(seeds)), outdir / "grid.png")
    print(f"{len(cells)} pictures and grid.png (columns {', '.join(names)}) in {outdir}")


def _views(generator: Any, seeds: list[int], row: look_from.Cameras, settings: dict[str, Any]) -> Iterator[Any]:
    """Every camera's view of every face, seed by seed."""
    for seed in seeds:
        faces = Faces(generator, [seed], settings)
        for camera in row:
            yield look(generator, faces.seen_from(0, camera), camera, settings)


class Faces:
    """Faces of seeds; one backbone run each, unless the mapping network is told the camera that looks."""

    def __init__(self, generator: Any, seeds: list[int], settings: dict[str, Any]) -> None:
        self.generator, self.seeds, self.settings = generator, seeds, settings
        self._made: dict[int, Face] = {}
        self._moving = settings["conditioning"] == "same" and generator.c_dim > 0
        front = generator.average_camera().expand(len(seeds), -1)
        self._told = look_from.conditioning(generator, settings, front)

    def seen_from(self, index: int, camera: Float[Tensor, "25"]) -> Face:
        """The face of a seed, for a view from `camera`."""
        if self._moving:
            return face_of_seed(self.generator, self.seeds[index], camera, self.settings)
        if index not in self._made:
            self._made[index] = face_of_seed(self.generator, self.seeds[index], self._told[index], self.settings)
        return self._made[index]


def save_film(generator: Any, kind: str, seeds: list[int], settings: dict[str, Any], outdir: Path) -> None:
    """`video.mp4`: a camera that moves around faces, or faces that turn into one another."""
    single = "1x1" if kind == "interpolation" else None
    columns, rows = pictures.grid_size(settings["grid"] or single, len(seeds))
    make = _interpolation if kind == "interpolation" else _turntable if kind == "turntable" else _path
    total, sheets = make(generator, seeds, settings, columns * rows)
    film = (pictures.grid(sheet, columns, rows) for sheet in sheets)
    file = outdir / "video.mp4"
    pictures.save_video(tqdm(film, total=total, desc=f"video ({kind})", unit="frame"), file, settings["fps"])
    print(f"{file}: {kind}, {total} frames, {total / settings['fps']:.1f} s, {columns}x{rows} faces")


def _turntable(generator: Any, seeds: list[int], settings: dict[str, Any], count: int) -> Sheets:
    return _orbit(generator, seeds[:count], settings, look_from.turntable(generator, settings))


def _path(generator: Any, seeds: list[int], settings: dict[str, Any], count: int) -> Sheets:
    return _orbit(generator, seeds[:count], settings, look_from.path(generator, settings))


def _orbit(generator: Any, seeds: list[int], settings: dict[str, Any], cameras: look_from.Cameras) -> Sheets:
    """The same faces from one camera after the other."""
    faces = Faces(generator, seeds, settings)

    def sheet(camera: Float[Tensor, "25"]) -> list[pictures.Picture]:
        seen = (look(generator, faces.seen_from(i, camera), camera, settings) for i in range(len(seeds)))
        return [cell(generator, view, settings) for view in seen]

    return len(cameras), map(sheet, cameras)


def _interpolation(generator: Any, seeds: list[int], settings: dict[str, Any], count: int) -> Sheets:
    """On the way through the seeds; cell i starts at seed i, and keeps its camera and its grain."""
    z = sampling.latents(seeds, generator.z_dim)
    seen_from = look_from.rendering(generator, settings["labels"], len(seeds))
    told = look_from.conditioning(generator, settings, seen_from)
    tracks = [closed_track(generator, z.roll(-i, 0), told.roll(-i, 0), settings) for i in range(count)]

    def sheet(frame: int) -> list[pictures.Picture]:
        cells = []
        for i, track in enumerate(tracks):
            start = i % len(seeds)
            face = make_face(generator, seeds[start], track[frame : frame + 1], settings)
            cells.append(cell(generator, look(generator, face, seen_from[start], settings), settings))
        return cells

    return len(tracks[0]), map(sheet, range(len(tracks[0])))
