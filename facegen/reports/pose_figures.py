"""Figures of distances by pose: a curve over yaw or pitch with counts underneath, and a map of both.

Results are plain data, as `facegen.metrics.pose_binned.BinnedDistance.as_dict` gives them and JSON files hold them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from facegen.reports.figures import INK, MAIN, PALE, add_bar, figure_of, plain_ticks, png

Quantity = Literal["frechet", "frechet_all", "kernel"]

# Told apart by people who see fewer colours too (Okabe and Ito 2008), the first as elsewhere.
_COLOURS = (MAIN, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
_ERRORS: dict[Quantity, str] = {"frechet": "standard_error", "kernel": "kernel_error"}
_CONFIDENCE = 1.96
_TICK = 30  # degrees
_SCALE: dict[Quantity, float] = {"kernel": 1000}  # as kernel distances are usually printed
_RATIO_FOR_LOGARITHM = 12  # of the largest to the smallest value


def curve(
    results: Mapping[str, Mapping[str, Any]],
    angle: Literal["yaw", "pitch"] = "yaw",
    quantity: Quantity = "frechet",
    title: str = "",
) -> bytes:
    """PNG of distances over one angle, a line for each named result with 95 % bars, and the numbers of images below."""
    figure, (above, below) = figure_of(title, 0.95, rows=2)
    for number, (name, result) in enumerate(results.items()):
        _line(above, name, result, angle, quantity, number, len(results))
        _counts(below, name, result, angle, number)
    edges = [edge for result in results.values() for edge in _edges(result, angle)]
    for axes in (above, below):
        axes.set(xlim=(min(edges), max(edges)), xlabel=f"{_angle(results, angle)}, degrees")
    above.set_ylabel(_label(results, quantity))
    above.set_ylim(bottom=min(0, above.get_ylim()[0]))
    above.grid(color=PALE, lw=0.4, alpha=0.5, axis="y")
    below.set(yscale="log", ylabel="images in the bin")
    plain_ticks(below.yaxis)
    least = max(result["num_per_bin"] for result in results.values())
    below.axhline(least, color=INK, lw=0.8, ls=":", label=f"fewest that are measured: {least}")
    above.legend(fontsize=7, frameon=False, labelcolor=INK)
    below.legend(fontsize=7, frameon=False, labelcolor=INK, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return png(figure)


def heat_map(
    name: str,
    results: Mapping[str, Mapping[str, Any]],
    quantity: Quantity = "frechet",
    title: str = "",
) -> bytes:
    """PNG of the cells of yaw and pitch of one result, in colours that fit all results; cells without value hatched."""
    result = results[name]
    yaw, pitch = (np.array(_edges(result, angle), dtype=float) for angle in ("yaw", "pitch"))
    shape = (pitch[-1] - pitch[0]) / (yaw[-1] - yaw[0])
    figure, (axes,) = figure_of(title or name, float(np.clip(0.78 * shape + 0.14, 0.3, 1.2)))
    values = _values(result["map"], quantity)
    norm = _norm([_values(each["map"], quantity) for each in results.values()])
    drawn = axes.pcolormesh(yaw, pitch, np.ma.masked_invalid(values), norm=norm, cmap="viridis", lw=0)
    for (row, column), value in np.ndenumerate(values):
        (left, right), (low, high) = yaw[column : column + 2].tolist(), pitch[row : row + 2].tolist()
        if np.isnan(value):
            axes.add_patch(Rectangle((left, low), right - left, high - low, fill=False, hatch="////", ec=PALE, lw=0))
        else:
            ink = "white" if norm(value) < 0.6 else INK
            middle = (left + right) / 2, (low + high) / 2
            axes.annotate(f"{value:.3g}", middle, ha="center", va="center", fontsize=5.5, color=ink)
    axes.hlines(pitch, *yaw[[0, -1]], color="white", lw=0.6)
    axes.vlines(yaw, *pitch[[0, -1]], color="white", lw=0.6)
    label = f"{_angle(results, 'yaw')}, degrees"
    axes.set(xlim=yaw[[0, -1]], ylim=pitch[[0, -1]], aspect="equal", xlabel=label, ylabel="pitch, degrees")
    axes.set_xticks(np.arange(np.ceil(yaw[0] / _TICK) * _TICK, yaw[-1] + 1, _TICK))
    bar = add_bar(figure, axes, drawn, _label(results, quantity))
    if isinstance(norm, LogNorm):
        plain_ticks(bar.ax.yaxis)
    return png(figure)


def _line(
    axes: Axes, name: str, result: Mapping[str, Any], angle: str, quantity: Quantity, number: int, of: int
) -> None:
    """Points with bars as wide as bins; lines only between neighbours. Results stand a little beside each other."""
    edges = np.array(_edges(result, angle), dtype=float)
    middles, halves = (edges[:-1] + edges[1:]) / 2, np.diff(edges) / 2
    values = _values(result[angle], quantity)
    errors = _CONFIDENCE * _values(result[angle], quantity, _ERRORS[quantity]) if quantity in _ERRORS else None
    middles = middles + halves * 0.3 * (number - (of - 1) / 2)
    colour = _COLOURS[number % len(_COLOURS)]
    axes.errorbar(
        middles, values, errors, fmt="o-", ms=3.5, lw=1.3, elinewidth=0.9, capsize=2, color=colour, label=name
    )


def _counts(axes: Axes, name: str, result: Mapping[str, Any], angle: str, number: int) -> None:
    """Steps of the generated images in the result's colour; the real ones once, filled, behind."""
    edges = _edges(result, angle)
    if number == 0:
        axes.stairs(result[angle]["num_real"], edges, fill=True, color="#cdd5dd", label="real", baseline=0.5)
    colour = _COLOURS[number % len(_COLOURS)]
    axes.stairs(result[angle]["num_generated"], edges, color=colour, lw=1.2, label=f"generated, {name}", baseline=0.5)


def _edges(result: Mapping[str, Any], angle: str) -> Sequence[float]:
    return result["bins"][f"{angle}_edges_degrees"]


def _values(bins: Mapping[str, Any], quantity: Quantity, name: str = "") -> NDArray[np.float64]:
    """A quantity, or another field that belongs to it, as it is drawn; None becomes NaN."""
    return np.array(bins[name or quantity], dtype=np.float64) * _SCALE.get(quantity, 1)


def _norm(maps: Sequence[NDArray[np.float64]]) -> Normalize:
    """Colours from the least to the largest of all values; logarithmic where those are far apart."""
    known = np.concatenate([each[np.isfinite(each)] for each in maps])
    if not len(known):
        return Normalize(0, 1)
    low, high = float(known.min()), float(known.max())
    if low > 0 and high > _RATIO_FOR_LOGARITHM * low:
        return LogNorm(low, high)
    return Normalize(min(low, 0), high)


def _angle(results: Mapping[str, Mapping[str, Any]], angle: str) -> str:
    folded = any(result["bins"]["fold_yaw"] for result in results.values())
    return "|yaw|" if folded and angle == "yaw" else angle


def _label(results: Mapping[str, Mapping[str, Any]], quantity: Quantity) -> str:
    """What is drawn, with what makes it comparable to other figures."""
    first = next(iter(results.values()))
    if quantity == "kernel":
        return "kernel distance x 1000"
    if quantity == "frechet" and first["components"] is not None:
        return f"Fréchet distance, {first['components']} components"
    return f"Fréchet distance, {first['num_per_bin']} images"
