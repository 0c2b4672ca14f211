"""Axes, bars and rectangles of plots as SVG."""

from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from facegen.explore.widgets.axes import Axis, Frame
from facegen.reports.figures import INK, MAIN, PALE

_FONT = 'font-family="sans-serif" font-size="11"'
_PIXELS_PER_TICK = 62


def axes_svg(frame: Frame, x: Axis, y: Axis | None = None) -> str:
    """The lines, ticks and names of one or two axes."""
    width, height = frame.inner
    left, bottom = frame.pixel(0, 0)
    parts = [_line(left, bottom, left + width, bottom)]
    for share, text in x.ticks(width // _PIXELS_PER_TICK):
        place = frame.pixel(share, 0)[0]
        parts += [_line(place, bottom, place, bottom + 4), _text(place, bottom + 15, text, "middle")]
    parts.append(_text(left + width / 2, frame.height - 3, x.name, "middle"))
    if y is not None:
        parts.append(_line(left, bottom, left, bottom - height))
        for share, text in y.ticks(height // _PIXELS_PER_TICK + 1):
            place = frame.pixel(0, share)[1]
            parts += [_line(left - 4, place, left, place), _text(left - 6, place + 4, text, "end")]
        parts.append(_turned(10, bottom - height / 2, y.name))
    return "".join(parts)


def bars_svg(frame: Frame, counts: Sequence[Float[np.ndarray, " bin"]], colors: Sequence[str]) -> str:
    """Histograms on top of each other, bars of equal width, heights relative to the highest of all."""
    _, height = frame.inner
    most = max([1.0, *(float(each.max()) for each in counts if len(each))])
    parts = []
    for each, color in zip(counts, colors, strict=True):
        edges = [frame.pixel(share, 0)[0] for share in np.linspace(0, 1, len(each) + 1).tolist()]
        steps = []
        for left, right, count in zip(edges, edges[1:], each.tolist(), strict=False):
            top = frame.pixel(0, 0)[1] - height * count / most
            steps.append(f"{left:.1f},{top:.1f} {right:.1f},{top:.1f}")
        floor = frame.pixel(0, 0)[1]
        points = f"{edges[0]:.1f},{floor} {' '.join(steps)} {edges[-1]:.1f},{floor}"
        parts.append(f'<polygon points="{points}" fill="{color}"/>')
    return "".join(parts)


def box_svg(one: tuple[float, float], other: tuple[float, float]) -> str:
    """A rectangle between two corners in pixels: what is, or is being, chosen."""
    (x, width), (y, height) = ((min(a, b), abs(a - b)) for a, b in zip(one, other, strict=True))
    style = f'fill="{MAIN}" fill-opacity="0.12" stroke="{MAIN}" stroke-width="1.5"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{PALE}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}" {_FONT}>{escape(text)}</text>'


def _turned(x: float, y: float, text: str) -> str:
    turn = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{INK}" {turn} {_FONT}>{escape(text)}</text>'
