"""What is known about a face, drawn on its picture: landmarks, hairlines, parts, sketch, camera, shape."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw

from facegen.data.conditions import PARTS
from facegen.data.headers import ImageError
from facegen.data.part_orders import part_colors, part_names
from facegen.data.sources import Source
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.files import read_beside
from facegen.explore.rooms.data.pictures import LARGE, Picture, fitted, placeholder, read_face
from facegen.geometry.overlay import draw_overlay
from facegen.geometry.projection import world_to_camera, world_to_clip
from facegen.morphable.procedural import ProceduralHead, read_head
from facegen.rendering.kernels import vertex_normals
from facegen.rendering.rasterizer import rasterize_numpy

POINTS = {  # columns of (x, y) in pixels of the picture, and their colours
    "landmarks": (255, 230, 0),
    "landmarks68": (255, 230, 0),
    "hairline_inner": (255, 120, 40),
    "hairline_outer": (255, 80, 220),
}
CAMERA, SHAPE, SKETCH = "camera", "shape", "sketch"
_SHAPE_COLUMNS = ("coefficients_identity", "coefficients_expression")
COLUMNS = {*POINTS, *PARTS, CAMERA, SKETCH, *_SHAPE_COLUMNS}  # that layers are drawn from
LAYERS = (*PARTS, SKETCH, SHAPE, *POINTS, CAMERA)  # from the bottom up
_HEAD = "head.npz"
_OPAQUE = 0.45


def layers_of(faces: Faces, row: int) -> list[str]:
    """The layers that a face has."""
    values, source = faces.values(row, COLUMNS), faces.place(row).source
    has_shape = CAMERA in values and set(_SHAPE_COLUMNS) <= set(values) and (source.root / _HEAD).is_file()
    return [layer for layer in LAYERS if layer in values or (layer == SHAPE and has_shape)]


def overlaid(faces: Faces, row: int, layers: Sequence[str]) -> Image.Image:
    """A large picture of a face with layers on it, or why there is none."""
    try:
        pixels = read_face(faces, row)
        picture = np.asarray(fitted(pixels, LARGE, enlarge=True))
        values, source = faces.values(row, COLUMNS) if layers else {}, faces.place(row).source
        for layer in LAYERS:
            if layer in layers and (layer in values or layer == SHAPE):
                picture = _drawing(layer)(picture, layer, values, source, picture.shape[1] / pixels.shape[1])
        return Image.fromarray(picture)
    except (ImageError, OSError, ValueError) as error:
        return placeholder(str(error), LARGE)


_Draw = Callable[[Picture, str, Mapping[str, Any], Source, float], Picture]


def _drawing(layer: str) -> _Draw:
    if layer in POINTS:
        return _points
    return {CAMERA: _camera, SHAPE: _shape, SKETCH: _sketch}.get(layer, _parts)


def _points(picture: Picture, layer: str, values: Mapping[str, Any], source: Source, scale: float) -> Picture:
    drawn = Image.fromarray(picture)
    canvas, radius = ImageDraw.Draw(drawn), max(picture.shape[1] // 256, 1)
    for x, y in np.reshape(np.array(values[layer], dtype=np.float64), (-1, 2)) * scale:
        if np.isfinite([x, y]).all():
            canvas.ellipse([x - radius, y - radius, x + radius, y + radius], POINTS[layer], 0)
    return np.asarray(drawn)


def _camera(picture: Picture, layer: str, values: Mapping[str, Any], source: Source, scale: float) -> Picture:
    return draw_overlay(picture, np.array(values[CAMERA], dtype=np.float32))


def _parts(picture: Picture, layer: str, values: Mapping[str, Any], source: Source, scale: float) -> Picture:
    ids = np.asarray(read_beside(values[layer], source, ("L", "P")))
    colors = part_colors(part_names(layer))
    if ids.size and ids.max() >= len(colors):
        raise ImageError(f"{layer} has the id {ids.max()}, expected 0 to {len(colors) - 1}")
    size = picture.shape[1], picture.shape[0]
    large = np.asarray(Image.fromarray(ids.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
    return np.where(large[..., None] > 0, _blend(picture, colors[large]), picture)


def _sketch(picture: Picture, layer: str, values: Mapping[str, Any], source: Source, scale: float) -> Picture:
    lines = read_beside(values[layer], source, ("L", "RGB", "1", "P")).convert("L")
    large = np.asarray(lines.resize((picture.shape[1], picture.shape[0]), Image.Resampling.LANCZOS))
    return (picture * (large[..., None] / 255)).astype(np.uint8)


def _shape(picture: Picture, layer: str, values: Mapping[str, Any], source: Source, scale: float) -> Picture:
    """The head of a synthetic face, lit from the camera, through the camera's label."""
    head = _head(str(source.root / _HEAD))
    vertices = head.vertices(*(np.array(values[name], dtype=np.float32) for name in _SHAPE_COLUMNS))
    label = torch.tensor([values[CAMERA]], dtype=torch.float64)
    homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)
    clip = np.ascontiguousarray(homogeneous @ world_to_clip(label)[0].numpy().T)
    seen, weights, _ = rasterize_numpy(clip.astype(np.float32), head.triangles, picture.shape[:2], True)
    normals = vertex_normals(vertices, head.triangles)
    towards = -(normals @ world_to_camera(label)[0, 2, :3].numpy())
    bright = (towards[head.triangles[seen]] * weights).sum(-1)
    shaded = (60 + 190 * np.clip(bright, 0, 1))[..., None] * np.array([0.8, 0.93, 1.0])
    return np.where(seen[..., None] >= 0, _blend(picture, shaded, 0.75), picture)


def _blend(picture: Picture, other: Float[np.ndarray, "height width 3"], opaque: float = _OPAQUE) -> Picture:
    return ((1 - opaque) * picture + opaque * other).astype(np.uint8)


@lru_cache(maxsize=4)
def _head(path: str) -> ProceduralHead:
    return read_head(Path(path))
