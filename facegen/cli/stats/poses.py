"""Plots of poses: where the cameras are, how common each pose is, how far heads turn."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facegen.cli.stats.panels import Panel
from facegen.data.parts import GRID_DEGREES
from facegen.reports.figures import MAIN, PALE, add_bar, figure_of, plain_ticks, png

_MANY = 8  # different numbers of copies that colours can tell apart
_LEAST_DENSITY, _RARE = 1e-3, 0.4  # 1/rad²: the bottom of the colours, and what LPFF counts as rare
_CELL_DEGREES = 2
_MOST = {"yaw": 180, "pitch": 90}  # degrees


def scatter(panel: Panel, panels: Sequence[Panel]) -> bytes | None:
    """Where the cameras are: each view a point whose colour says how often an epoch shows it."""
    poses = panel.part.poses(panel.part.views)
    if poses is None:
        return None
    times = panel.part.times[panel.part.posed(panel.part.views)[0]]
    order = np.argsort(times, kind="stable")  # rare poses, which come often, on top
    colours = _colours([each.part.times for each in panels])
    figure, axes = _sphere(panel)
    size = float(np.clip(4e4 / len(times), 0.3, 9))
    drawn = axes.scatter(
        poses.theta[order],
        poses.phi[order],
        size,
        colours.place(times[order]),
        cmap=colours.map,
        norm=colours.norm,
        lw=0,
    )
    if len(colours.labels) != 1:
        bar = add_bar(figure, axes, drawn, "times in an epoch")
        if colours.labels:
            bar.set_ticks(np.arange(len(colours.labels)).tolist(), labels=colours.labels)
            bar.ax.minorticks_off()
        else:
            plain_ticks(bar.ax.yaxis)
    return png(figure)


def density(panel: Panel, panels: Sequence[Panel]) -> bytes | None:
    """How common poses are in an epoch: Gaussian kernel density, with the line below which LPFF calls a pose rare."""
    if panel.density is None:
        return None
    most = max(each.density.max() for each in panels if each.density is not None)
    norm = LogNorm(_LEAST_DENSITY, max(most, 10 * _LEAST_DENSITY))
    figure, axes = _sphere(panel)
    shown = np.maximum(panel.density, _LEAST_DENSITY)
    drawn = axes.pcolormesh(GRID_DEGREES, GRID_DEGREES, shown, norm=norm, cmap="magma", shading="nearest")
    if panel.density.max() > _RARE:
        line = axes.contour(GRID_DEGREES, GRID_DEGREES, panel.density, [_RARE], colors="white", linewidths=0.8)
        axes.clabel(line, fmt=f"{_RARE:g}", fontsize=7)
    plain_ticks(add_bar(figure, axes, drawn, "density, 1/rad²", extend="min").ax.yaxis)
    return png(figure)


def yaw_pitch(panel: Panel, panels: Sequence[Panel]) -> bytes | None:
    """Where heads look: the share of an epoch's items in cells of two degrees of yaw and pitch."""
    cells = _cells(panel)
    if cells is None:
        return None
    known = [shares for each in panels if (shares := _cells(each)) is not None]
    least, most = min(shares[shares > 0].min() for shares in known), max(shares.max() for shares in known)
    wide, high = _reach(panels, "yaw"), _reach(panels, "pitch")
    figure, (axes,) = figure_of(panel.title, min(1.0, 0.72 * high / wide + 0.16))
    drawn = axes.pcolormesh(
        *_edges(), np.ma.masked_equal(cells.T, 0), norm=LogNorm(least, max(most, 10 * least)), cmap="viridis"
    )
    axes.set(xlim=(-wide, wide), ylim=(-high, high), aspect="equal", xlabel="yaw, degrees", ylabel="pitch, degrees")
    axes.axhline(0, color=PALE, lw=0.5)
    axes.axvline(0, color=PALE, lw=0.5)
    plain_ticks(add_bar(figure, axes, drawn, "% of items in 2° x 2°").ax.yaxis)
    return png(figure)


def angles(panel: Panel, panels: Sequence[Panel]) -> bytes | None:
    """How far heads turn: shares of an epoch's items in two degrees of yaw, and of pitch, with the others' outlines."""
    known = [each for each in panels if each.numbers["poses"] is not None]
    if panel.numbers["poses"] is None:
        return None
    figure, every = figure_of(panel.title, 0.85, rows=2)
    for name, axes in zip(_MOST, every, strict=True):
        for each in known:
            histogram = each.numbers["poses"]["histograms"][name]
            edges = histogram["first_edge"] + np.arange(len(histogram["shares"]) + 1) * histogram["bin"]
            percent, own = 100 * np.array(histogram["shares"]), each is panel
            axes.stairs(percent, edges, fill=own, color=MAIN if own else PALE, lw=0.9, zorder=2 if own else 3)
        limit, low, high = _reach(panels, name), *_heights(known, name)
        axes.set(
            yscale="log", ylim=(low, high), xlim=(-limit, limit), xlabel=f"{name}, degrees", ylabel="% of items in 2°"
        )
        plain_ticks(axes.yaxis)
    return png(figure)


class _Colours(NamedTuple):
    """Colours of numbers of copies, or of weights where `labels` is empty."""

    map: Colormap
    norm: Normalize
    labels: list[str]
    values: NDArray[np.float64]

    def place(self, times: NDArray[np.float64]) -> NDArray[Any]:
        """What the colour map is to be asked."""
        return np.searchsorted(self.values, times) if self.labels else times


def _colours(times: Sequence[NDArray[np.float64]]) -> _Colours:
    values = np.unique(np.concatenate(times))
    if len(values) > _MANY or (values != values.round()).any():
        return _Colours(colormaps["plasma_r"], LogNorm(values[0], values[-1]), [], values)
    warm = colormaps["YlOrRd"](np.linspace(0.35, 1, len(values) - 1)) if len(values) > 1 else []
    first = [MAIN] if len(values) == 1 else ["#a9bcd0"]
    norm = BoundaryNorm(np.arange(len(values) + 1) - 0.5, len(values))
    return _Colours(ListedColormap([*first, *warm]), norm, [f"{value:g}" for value in values], values)


def _sphere(panel: Panel) -> tuple[Figure, Axes]:
    """Axes of theta and phi as LPFF draws them: the whole half sphere, degrees alike on both."""
    figure, (axes,) = figure_of(panel.title, 0.84)
    ticks = range(0, 181, 30)
    axes.set(xlim=(0, 180), ylim=(0, 180), aspect="equal", xticks=ticks, yticks=ticks)
    axes.set(xlabel="theta, degrees (90: frontal)", ylabel="phi, degrees (90: level)")
    axes.grid(color="#e4e7eb", lw=0.5)
    axes.set_axisbelow(True)
    return figure, axes


def _edges() -> tuple[NDArray[Any], NDArray[Any]]:
    yaw, pitch = (np.arange(-limit, limit + 1, _CELL_DEGREES) for limit in _MOST.values())
    return yaw, pitch


def _cells(panel: Panel) -> NDArray[np.float64] | None:
    """Percent of the items in each cell, (yaw, pitch)."""
    poses = panel.part.poses(panel.part.items)
    if poses is None:
        return None
    return 100 / len(poses.yaw) * np.histogram2d(poses.yaw, poses.pitch, _edges())[0]


def _heights(panels: Sequence[Panel], name: str) -> tuple[float, float]:
    """Percents between which all histograms fit on a logarithmic axis."""
    every = np.concatenate([each.numbers["poses"]["histograms"][name]["shares"] for each in panels]) * 100
    return every[every > 0].min() / 2, every.max() * 1.5


def _reach(panels: Sequence[Panel], name: str) -> float:
    """Half the length of an axis on which all panels fit, in tens of degrees."""
    spreads = [each.numbers["poses"][name] for each in panels if each.numbers["poses"] is not None]
    furthest = max(max(-spread["least"], spread["most"]) for spread in spreads)
    return min(max(10 * np.ceil(furthest / 10), 30), _MOST[name])
