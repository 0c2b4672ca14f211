"""A picture that shows whether a camera label fits its image: the world's axes, and landmarks, drawn on it."""

import textwrap

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from facegen.geometry.camera_checks import check_labels
from facegen.geometry.constants import LABEL_SIZE, PIVOT
from facegen.geometry.projection import project, world_to_camera

AXES = {"x": (255, 60, 60), "y": (60, 220, 60), "z": (80, 120, 255)}
AXIS_LENGTH = 0.2  # of about 0.63 that an aligned image shows
LANDMARKS, MODEL = (255, 230, 0), (0, 230, 255)  # colours: of the table, and of a model through the label
_NEAREST = 0.1  # what is nearer to the camera's plane, or behind it, has no place in the image

Points = Float[np.ndarray, "point 2"]


def draw_overlay(
    image: UInt8[np.ndarray, "height width 3"],
    label: Float[np.ndarray, "25"],
    landmarks: Float[np.ndarray, "point 2"] | None = None,
    model_points: Float[np.ndarray, "vertex 3"] | None = None,
    caption: str = "",
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw x (red, to the viewer's right), y (green, up) and z (blue, out of the face) at the pivot of faces.

    `landmarks` are pixels of the image, (0, 0) its corner: yellow rings. `model_points`, such as the landmarks of a
    morphable model, are in the world and take the label's way into the image: cyan dots, inside the rings where the
    label is right. What `check_labels` says of the label is written below, `caption` above.
    Raises ValueError for a label that is no camera.
    """
    row = np.asarray(label, dtype=np.float64).reshape(1, LABEL_SIZE)
    findings = check_labels(row)
    if findings.malformed:
        raise ValueError(f"overlay: {findings.malformed[0]}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    canvas = ImageDraw.Draw(picture)
    for point in [] if landmarks is None else landmarks:
        _ring(canvas, point, _unit(picture) * 2, LANDMARKS)
    for point in [] if model_points is None else _pixels(picture, model_points, row):
        _dot(canvas, point, _unit(picture), MODEL)
    _draw_axes(picture, canvas, row)
    _write(picture, canvas, caption, findings.implausible.get(0, ""))
    return np.asarray(picture)


def _unit(picture: Image.Image) -> int:
    """Width of a thin line in pixels."""
    return max(1, picture.width // 192)


def _pixels(picture: Image.Image, points: Float[np.ndarray, "point 3"], row: Float[np.ndarray, "1 25"]) -> Points:
    """Where world points fall; without those that are beside or behind the camera."""
    labels, world = torch.from_numpy(row), torch.from_numpy(np.asarray(points, dtype=np.float64))
    matrix = world_to_camera(labels)[0]
    before = (world @ matrix[2, :3] + matrix[2, 3]) > _NEAREST
    return project(world[before], labels)[0].numpy() * picture.size


def _draw_axes(picture: Image.Image, canvas: ImageDraw.ImageDraw, row: Float[np.ndarray, "1 25"]) -> None:
    """The axes from the farthest to the nearest, so that the one that comes out of the image lies on top."""
    towards = row[0, :16].reshape(4, 4)[:3, 2]  # optical axis in the world: its components are depths along the axes
    font, unit = _font(picture), _unit(picture)
    for place in np.argsort(-towards):
        name, color = list(AXES.items())[place]
        ends = _pixels(picture, np.stack([PIVOT, PIVOT + AXIS_LENGTH * np.eye(3)[place]]), row)
        if len(ends) == 2:
            canvas.line([*ends[0], *ends[1]], fill=color, width=2 * unit)
            _dot(canvas, ends[1], 2 * unit, color)
            canvas.text((ends[1][0] + 3 * unit, ends[1][1]), name, color, font, "lm", stroke_width=1, stroke_fill=0)


def _write(picture: Image.Image, canvas: ImageDraw.ImageDraw, caption: str, fault: str) -> None:
    font, margin = _font(picture), 2 * _unit(picture)
    canvas.text((margin, margin), caption, "white", font, stroke_width=1, stroke_fill=0)
    if fault:
        text = "\n".join(textwrap.wrap(fault, width=int(1.9 * picture.width / font.size)))
        below = (margin, picture.height - margin)
        canvas.rectangle(canvas.multiline_textbbox(below, text, font, "ld"), fill=0)
        canvas.multiline_text(below, text, (255, 140, 140), font, "ld")


def _font(picture: Image.Image) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=max(8, picture.width // 24))
    assert isinstance(font, ImageFont.FreeTypeFont)  # with a size, it always is
    return font


def _dot(canvas: ImageDraw.ImageDraw, point: Float[np.ndarray, "2"], radius: int, color: tuple[int, int, int]) -> None:
    canvas.ellipse([*(point - radius), *(point + radius)], fill=color)


def _ring(canvas: ImageDraw.ImageDraw, point: Float[np.ndarray, "2"], radius: int, color: tuple[int, int, int]) -> None:
    canvas.ellipse([*(point - radius), *(point + radius)], outline=color)
