"""What runs wrote while they trained: figures by name, and their curves side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from facegen.reports.figures import INK, figure_of, png
from facegen.study.curves import COLOURS
from facegen.study.results import rows_of

_FILES = ("metrics.jsonl", "evaluations.jsonl")
_CLOCK = ("kimg", "images_seen", "tick", "time", "seconds")
_FIRST = ("loss/G/loss", "loss/D/loss", "loss/total", "fid")
AXES = {"kimg": "thousand images seen", "time": "hours of training"}
Rows = Sequence[Mapping[str, Any]]


def rows(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's logs; those that are no mappings, or have no clock, are left out."""
    found = [row for file in _FILES for row in rows_of(run / file)]
    return [row for row in found if isinstance(row, dict) and _is_number(row.get("kimg"))]


def figures(every: Mapping[str, Rows]) -> list[str]:
    """Names of the figures of any run, those that people look at first before the others."""
    names = {name for own in every.values() for row in own for name, value in row.items() if _is_number(value)}
    names -= {*_CLOCK}
    first = [name for name in _FIRST if name in names]
    return first + sorted(names - {*first})


def points(own: Rows, name: str, axis: str) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]:
    """Where a figure was over the clock, in thousand images or hours."""
    found = [(row[axis], row[name]) for row in own if _is_number(row.get(name)) and _is_number(row.get(axis))]
    x, y = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return x / 3600 if axis == "time" else x, y


def smoothed(y: Float[np.ndarray, " point"], half_life: float) -> Float[np.ndarray, " point"]:
    """Exponential means over the past with a half-life in points, unbiased at the beginning; 0 changes nothing."""
    if half_life <= 0:
        return y
    keep, total, weight, out = 0.5 ** (1 / half_life), 0.0, 0.0, np.empty_like(y)
    for place, value in enumerate(y):
        if np.isfinite(value):
            total, weight = keep * total + (1 - keep) * value, keep * weight + (1 - keep)
        out[place] = total / weight if weight else np.nan
    return out


def curves(
    every: Mapping[str, Rows], name: str, axis: str = "kimg", half_life: float = 0.0, log: bool = False
) -> bytes:
    """PNG of one figure, a line for each run; paler behind it what the smoothed line stands for."""
    figure, (axes,) = figure_of(name, 0.62)
    for number, (run, own) in enumerate(every.items()):
        x, y = points(own, name, axis)
        colour = COLOURS[number % len(COLOURS)]
        if half_life and len(x):
            axes.plot(x, y, color=colour, lw=0.7, alpha=0.25)
        axes.plot(x, smoothed(y, half_life), color=colour, lw=1.3, marker="o" if len(x) < 3 else "", ms=3, label=run)
    axes.set(xlabel=AXES[axis], ylabel=name, yscale="log" if log else "linear")
    figure.legend(fontsize=7, frameon=False, ncols=2, loc="outside lower center", labelcolor=INK)
    return png(figure)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
