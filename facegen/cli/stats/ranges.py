"""Plots of expression, light, and the sizes of images and files."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from facegen.cli.stats.panels import Panel, Plot
from facegen.data.parts import Part
from facegen.reports.figures import INK, MAIN, figure_of, plain_ticks, png


def ranges(kind: str) -> Plot:
    """The plot of `expression` or `light`: quantiles of each number over the items of an epoch."""

    def plot(panel: Panel, panels: Sequence[Panel]) -> bytes | None:
        if panel.numbers[kind] is None:
            return None
        figure, (axes,) = figure_of(panel.title, 0.55)
        quantiles = panel.numbers[kind]["quantiles"]
        numbers = np.arange(len(quantiles["50%"]))
        for low, high, alpha in (("5%", "95%", 0.25), ("25%", "75%", 0.5)):
            heights, below = np.subtract(quantiles[high], quantiles[low]), quantiles[low]
            axes.bar(numbers, heights, 0.9, below, color=MAIN, alpha=alpha, lw=0, label=f"{low} to {high}")
        axes.plot(numbers, quantiles["50%"], "_", color=INK, ms=4, label="median")
        low, high = _limits(panel, panels, kind)
        axes.set(xlim=(-1, len(numbers)), ylim=(low, high), xlabel=f"{kind} coefficient", ylabel="value")
        figure.legend(fontsize=7, frameon=False, ncols=3, loc="outside lower center")
        return png(figure)

    return plot


def sizes(panel: Panel, panels: Sequence[Panel]) -> bytes | None:
    """How large the images are, where an index knows it, and their files."""
    if not len(_sides(panel.part)) and not len(_kilobytes(panel.part)):
        return None
    figure, (upper, lower) = figure_of(panel.title, 0.75, rows=2)
    _histogram(upper, panel, panels, _sides, "shorter side, pixels")
    _histogram(lower, panel, panels, _kilobytes, "file, kB")
    return png(figure)


def _limits(panel: Panel, panels: Sequence[Panel], kind: str) -> tuple[float, float]:
    """Range on which all panels fit whose numbers come from the same model."""
    every = [each.numbers[kind] for each in panels if each.numbers[kind] is not None]
    alike = [each["quantiles"] for each in every if each["model"] == panel.numbers[kind]["model"]]
    low, high = min(min(each["5%"]) for each in alike), max(max(each["95%"]) for each in alike)
    margin = 0.05 * (high - low) or 1
    return low - margin, high + margin


def _histogram(
    axes: Axes, panel: Panel, panels: Sequence[Panel], values: Callable[[Part], NDArray[np.float64]], label: str
) -> None:
    """Shares of the faces on axes that are the same for all panels."""
    every = [found for each in panels if len(found := values(each.part))]
    own = values(panel.part)
    low, high = (min(map(np.min, every)), max(map(np.max, every))) if every else (0, 0)
    if not len(own) or low == high:
        said = f"all {own[0]:,g}" if len(own) else "unknown, run facegen data index"
        axes.text(0, 0.5, f"{label}: {said}", va="center", color=INK, transform=axes.transAxes)
        axes.set_axis_off()
        return
    edges = np.geomspace(low / 1.1, high * 1.1, 61)
    most = max((100 / len(found) * np.histogram(found, edges)[0]).max() for found in every)
    axes.hist(own, edges.tolist(), weights=np.full(len(own), 100 / len(own)), color=MAIN)
    axes.set(xscale="log", xlim=edges[[0, -1]], ylim=(0, 1.05 * most), xlabel=label, ylabel="% of faces")
    plain_ticks(axes.xaxis)


def _sides(part: Part) -> NDArray[np.float64]:
    if "width" not in part.rows.column_names:
        return np.zeros(0)
    width, height = (part.rows[name].drop_null().to_numpy() for name in ("width", "height"))
    return np.minimum(width, height).astype(np.float64)


def _kilobytes(part: Part) -> NDArray[np.float64]:
    bytes = part.rows["size"].to_numpy()
    return bytes[bytes > 0] / 1000
