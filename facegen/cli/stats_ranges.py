"""Plots of expression, light, and the sizes of images and files."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from facegen.cli.stats_panels import INK, MAIN, Panel, Plot, figure_of, plain_ticks, png
from facegen.data.parts import Part


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
        axes.legend(fontsize=7, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
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
    """Counts on a logarithmic axis, the same for all panels."""
    own, every = values(panel.part), np.concatenate([values(each.part) for each in panels])
    axes.set(xlabel=label, ylabel="faces")
    if not len(own) or own.min() == own.max():
        said = f"all {own[0]:,g}" if len(own) else "unknown: run facegen data index"
        axes.text(0.5, 0.5, said, ha="center", va="center", color=INK, transform=axes.transAxes)
        axes.set(xticks=[], yticks=[], ylabel="")
        return
    low, high = every.min() / 1.1, every.max() * 1.1
    axes.hist(own, np.geomspace(low, high, 61).tolist(), color=MAIN)
    axes.set(xscale="log", xlim=(low, high))
    plain_ticks(axes.xaxis)


def _sides(part: Part) -> NDArray[np.float64]:
    if "width" not in part.rows.column_names:
        return np.zeros(0)
    width, height = (part.rows[name].drop_null().to_numpy() for name in ("width", "height"))
    return np.minimum(width, height).astype(np.float64)


def _kilobytes(part: Part) -> NDArray[np.float64]:
    bytes = part.rows["size"].to_numpy()
    return bytes[bytes > 0] / 1000
