"""Plots that look alike: axes, colours, PNG bytes.

Figures are made without pyplot, which would keep them in a list of its own and look for a screen.
"""

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

INK, PALE, MAIN = "#1f2933", "#8d99a6", "#2b6cb0"  # text, what stands behind, what is shown
_DPI, _WIDTH = 150, 5.4  # inches


def figure_of(title: str, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure `height` times as high as wide, with axes below each other."""
    figure = Figure((_WIDTH, _WIDTH * height), _DPI, layout="constrained")
    every = list(figure.subplots(rows, 1, squeeze=False)[:, 0])
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(PALE)
        axes.tick_params(colors=INK, labelsize=8, color=PALE)
        axes.xaxis.label.set(size=9, color=INK)
        axes.yaxis.label.set(size=9, color=INK)
    every[0].set_title(shortened(title), fontsize=10, loc="left", color=INK, parse_math=False)
    return figure, every


class _Plain(LogFormatter):
    """Numbers as people write them, without powers of ten, where matplotlib would write a number."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def plain_ticks(axis: Axis) -> None:
    """Readable numbers on a logarithmic axis."""
    axis.set_major_formatter(_Plain())
    axis.set_minor_formatter(_Plain(minor_thresholds=(1, 0.5)))
    axis.set_tick_params(which="both", labelsize=8, colors=INK)


def add_bar(figure: Figure, axes: Axes, drawn: Any, label: str, **options: Any) -> Colorbar:
    """A colour bar beside axes."""
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, **options)
    bar.set_label(label, size=9, color=INK)
    bar.ax.tick_params(which="both", labelsize=8, colors=INK)
    bar.outline.set_visible(False)
    return bar


def shortened(title: str, most: int = 52) -> str:
    """A title that fits above a plot; signs that no font draws are left out."""
    title = "".join(sign if sign.isprintable() else "?" for sign in title)
    return title if len(title) <= most else f"{title[: most - 1]}…"


def png(figure: Figure) -> bytes:
    """The bytes of a figure's file, the same every time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
