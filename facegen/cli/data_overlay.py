"""`facegen data overlay`: camera labels drawn on their images, for people to look at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from tqdm import tqdm

from facegen.cli import pictures
from facegen.cli.commands import nearest
from facegen.data.images import decode
from facegen.data.pictures import save_png
from facegen.data.poses import yaw_pitch_degrees
from facegen.data.reader import ImageReader
from facegen.data.sources import Source, open_source
from facegen.geometry.overlay import draw_overlay

CONFIG = "data_overlay"
HELP = """\
Draw camera labels on their images, to see whether they fit.

Writes grid.png and one picture per face: the world's axes at the middle of the face, x red (to the viewer's right),
y green (up), z blue (out of the face). Landmarks of the table are yellow rings. Where a morphable model is known, as
for synthetic faces, its landmarks seen through the label are cyan dots, inside the rings when the label is right.
What `facegen data validate` would say of the label is written below.

Examples:
  facegen data overlay root=ffhq.zip
  facegen data overlay root=~/synthetic count=32 grid=8x4 outdir=look
  facegen data overlay root=lpff ids=[00000/img00000007]       the one that validate named"""
_COEFFICIENTS = ("coefficients_identity", "coefficients_expression")
_OPTIONAL = ("landmarks", *_COEFFICIENTS)
MOST_SIZE = 4096


def run(cfg: DictConfig) -> None:
    """Write the overlays of one source."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    count, size = settings["count"], settings["size"]
    if count < 1 or not 64 <= size <= MOST_SIZE:
        raise ValueError(f"got count={count}, size={size}; expected at least 1, and 64 to {MOST_SIZE} pixels")
    source = _open(settings["root"])
    chosen = _choose(source, count, settings["ids"])
    columns, rows = pictures.grid_size(settings["grid"], len(chosen))
    outdir = Path(str(settings["outdir"])).expanduser()
    cells = []
    draw = _drawer(source, chosen, size)
    for row, face in enumerate(tqdm(chosen["id"].to_pylist(), "drawing", unit="face", delay=1)):
        picture = draw(row)
        save_png(picture, outdir / f"{face.replace('/', '_')}.png")
        if len(cells) < columns * rows:
            cells.append(picture)
    save_png(pictures.grid(cells, columns, rows), outdir / "grid.png")
    for problem in source.problems:
        if problem.kind == "index out of date":
            print(f"Without landmarks: {problem.id}: {problem.detail}")
    print(f"{len(chosen)} pictures and grid.png ({columns}x{rows}) in {outdir}")


def _open(root: str) -> Source:
    """The source with what its table knows about landmarks."""
    source = open_source(root, columns=_OPTIONAL)
    if "camera" not in source.rows.column_names or source.rows["camera"].null_count == len(source.rows):
        raise ValueError(f"{root} has no camera labels that can be drawn; see: facegen data validate root={root}")
    return source


def _choose(source: Source, count: int, ids: list[str] | None) -> pa.Table:
    rows = source.rows.filter(source.rows["camera"].is_valid())
    if ids is None:
        return rows.take(np.unique(np.linspace(0, len(rows) - 1, count).round().astype(np.int64)))
    if not isinstance(ids, list) or not ids:
        raise ValueError(f"ids: got {ids!r}, expected a list [A, B] or null")
    place = {face: row for row, face in enumerate(rows["id"].to_pylist())}
    for face in map(str, ids):
        if face not in place:
            raise ValueError(f"ids: {source.root} has no face {face!r} with a camera{nearest(face, list(place))}")
    return rows.take([place[str(face)] for face in ids])


def _drawer(source: Source, rows: pa.Table, size: int) -> Callable[[int], NDArray[np.uint8]]:
    """Draws row n."""
    reader, labels = ImageReader.of(rows), np.array(rows["camera"].to_pylist(), dtype=np.float32)
    angles, model = yaw_pitch_degrees(labels), _model(source, rows)

    def draw(row: int) -> NDArray[np.uint8]:
        pixels = decode(reader.read(row), convert=True)
        image = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))
        landmarks = rows["landmarks"][row].as_py() if "landmarks" in rows.column_names else None
        if landmarks is not None:
            landmarks = np.reshape(landmarks, (-1, 2)) * size / (pixels.shape[1], pixels.shape[0])
        yaw, pitch = angles[row].round().astype(int)
        caption = f"yaw {yaw}° pitch {pitch}° distance {np.linalg.norm(labels[row, [3, 7, 11]]):.3g}"
        return draw_overlay(image, labels[row], landmarks, model(row), caption)

    return draw


def _model(source: Source, rows: pa.Table) -> Callable[[int], NDArray[np.float32] | None]:
    """Landmarks in the world of row n, for a source that has a model and coefficients."""
    place = source.root / "head.npz"
    if not place.exists() or not set(_COEFFICIENTS) <= set(rows.column_names):
        return lambda row: None
    from facegen.morphable.procedural import read_head

    head = read_head(place)

    def landmarks(row: int) -> NDArray[np.float32] | None:
        values = [rows[name][row].as_py() for name in _COEFFICIENTS]
        if None in values:
            return None
        identity, expression = (np.array(value, dtype=np.float32) for value in values)
        return head.vertices(identity, expression)[head.landmarks]

    return landmarks
