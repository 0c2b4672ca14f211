"""Hints drawn by hand: strokes of a brush, and what they are as a picture of the model's size."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from facegen.data.conditions import PARTS
from facegen.data.images import decode, resize
from facegen.data.part_orders import part_colors, part_names
from facegen.explore.rooms.generator.wishes import Picture

MOST_POINTS = 20_000  # of all strokes together
_MOST_PIXELS = 50_000_000  # of an uploaded picture


class Stroke(NamedTuple):
    """Points (x, y) and width in shares of the picture's side, in one colour (`#rrggbb`)."""

    color: str
    width: float
    points: list[tuple[float, float]]


def palette(control: str) -> dict[str, str]:
    """Colours to draw a control with, by name; the first is that of empty pictures."""
    if control in PARTS:
        names = part_names(control)
        return {name: _hex(color) for name, color in zip(names, part_colors(names), strict=True)}
    paper, ink = ("#ffffff", "#000000") if control == "sketch" else ("#000000", "#ffffff")
    return {"paper": paper, "ink": ink, "grey": "#808080"}


def drawn(strokes: Sequence[Stroke], ground: Picture) -> Picture:
    """Strokes over a picture, without smooth edges, so that no colours come about that stand for nothing."""
    image = Image.fromarray(ground)
    pen, side = ImageDraw.Draw(image), image.width
    for stroke in strokes:
        points = [(x * side, y * side) for x, y in stroke.points]
        width = max(round(stroke.width * side), 1)
        pen.line(points, stroke.color, width, joint="curve")
        for x, y in (points[0], points[-1]):
            radius = width / 2
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], stroke.color)
    return np.asarray(image).copy()


def empty(control: str, side: int) -> Picture:
    """A picture of a control on which nothing is drawn."""
    return np.asarray(Image.new("RGB", (side, side), next(iter(palette(control).values())))).copy()


def uploaded(content: bytes, control: str, side: int) -> Picture:
    """A picture file as a hint: its middle square, resized; ids of face parts in their colours.

    Raises ValueError for what is no picture.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels, expected at most {_MOST_PIXELS:,}")
            if control in PARTS and image.mode in ("L", "P"):
                return _parts(np.array(image.resize((side, side), Image.Resampling.NEAREST)), control)
        return resize(decode(content, convert=True), side, crop="center")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{control}: this is no picture that can be read ({error})") from error


def svg(strokes: Sequence[Stroke], side: int) -> str:
    """Strokes as they are shown while they are drawn, in pixels of a picture of that side."""
    return "".join(
        f'<polyline points="{" ".join(f"{x * side:.1f},{y * side:.1f}" for x, y in stroke.points)}" fill="none" '
        f'stroke="{stroke.color}" stroke-width="{stroke.width * side:.1f}" stroke-linecap="round" '
        'stroke-linejoin="round"/>'
        for stroke in strokes
    )


def _parts(ids: np.ndarray, control: str) -> Picture:
    colors = part_colors(part_names(control))
    if ids.max() >= len(colors):
        raise ValueError(f"it has the part {ids.max()}, expected 0 to {len(colors) - 1}")
    return colors[ids]


def _hex(color: np.ndarray) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color.tolist())
