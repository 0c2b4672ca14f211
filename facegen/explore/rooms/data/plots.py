"""Plots of columns on which a person drags to choose faces: two columns as a density, one as a histogram."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from facegen.explore.rooms.data.choice import Rows, mask_of
from facegen.explore.rooms.data.densities import address_of, counts_of, density_picture
from facegen.explore.rooms.data.view import View
from facegen.explore.widgets.axes import Axis, Frame, Range, axis_of
from facegen.explore.widgets.drag import Corner, DragArea
from facegen.explore.widgets.svg import axes_svg, bars_svg
from facegen.reports.figures import MAIN

_DENSITY = Frame(400, 280, 46, 8, 10, 34)
_HISTOGRAM = Frame(400, 112, 12, 6, 10, 32)
_BINS = 63
_GREY = "#cdd3da"
_POSE = ("yaw_degrees", "pitch_degrees")
_FIRST = ("quality", "taste", "blur", "brightness", "pitch_degrees", "yaw_degrees", "size")
Show = Callable[[], None]


def first_pair(columns: list[str]) -> tuple[str, str]:
    """The columns of the density at the beginning: the pose, where it is known."""
    if set(_POSE) <= set(columns):
        return _POSE
    return columns[0], columns[min(1, len(columns) - 1)]


def first_histograms(columns: list[str]) -> list[str]:
    """The columns of the two histograms at the beginning."""
    return [name for name in _FIRST if name in columns][:2]


class DensityPlot:
    """Faces by two columns; dragging a rectangle chooses those inside, a click all."""

    def __init__(self, view: View, redraw: Callable[[], Any]) -> None:
        self.view = view
        columns = view.faces.number_columns()
        self.x, self.y = first_pair(columns)
        with ui.row().classes("w-full no-wrap items-center gap-2"):
            for name, value in (("x", self.x), ("y", self.y)):
                choose = ui.select(columns, value=value, label=f"{name} axis", with_input=True).classes("col")
                choose.props(f'dense outlined options-dense data-testid="plot-{name}"')
                choose.on_value_change(partial(self._turn, name, redraw))
        self._area = DragArea(_DENSITY, self._drag, "density")

    def draw(self, rows: Rows) -> Show:
        """Draw outside of the event loop; what is returned shows it."""
        faces = self.view.faces
        xs, ys = faces.numbers(self.x), faces.numbers(self.y)
        axes = axis_of(self.x, xs), axis_of(self.y, ys)
        picture = address_of(density_picture(_DENSITY, *axes, xs, ys, mask_of(rows, len(faces))))
        return partial(self._show, axes, picture)

    def _show(self, axes: tuple[Axis, Axis], picture: str) -> None:
        ranges = self.view.ranges
        box = None
        if self.x in ranges or self.y in ranges:
            (left, right), (low, high) = (_shares(axis, ranges.get(axis.name)) for axis in axes)
            box = (left, low), (right, high)
        self._axes = axes
        self._area.show(axes_svg(_DENSITY, *axes), picture, box)

    async def _turn(self, name: str, redraw: Callable[[], Any], event: Any) -> None:
        setattr(self, name, event.value)
        await redraw()

    async def _drag(self, corners: tuple[Corner, Corner] | None) -> None:
        for place, axis in enumerate(self._axes):
            _choose(self.view, axis, None if corners is None else (corners[0][place], corners[1][place]))
        await self.view.change()


class Histogram:
    """Faces by one column; dragging chooses a range, a click all."""

    def __init__(self, view: View, column: str, redraw: Callable[[], Any], close: Callable[["Histogram"], Any]) -> None:
        self.view, self.column = view, column
        with ui.column().classes("w-full gap-0") as self.element:
            with ui.row().classes("w-full no-wrap items-center gap-1"):
                choose = ui.select(view.faces.number_columns(), value=column, label="histogram of", with_input=True)
                choose.classes("col").props('dense outlined options-dense data-testid="histogram-column"')
                choose.on_value_change(partial(self._turn, redraw))
                ui.button(icon="close", on_click=lambda: close(self)).props("flat round dense").tooltip("Take it away")
            self._area = DragArea(_HISTOGRAM, self._drag, "histogram", only_x=True)

    def draw(self, rows: Rows) -> Show:
        """Draw outside of the event loop; what is returned shows it."""
        values = self.view.faces.numbers(self.column)
        axis = axis_of(self.column, values)
        counts = [counts_of(values, axis, _BINS), counts_of(values[rows], axis, _BINS)]
        return partial(self._show, axis, bars_svg(_HISTOGRAM, counts, (_GREY, MAIN)))

    def _show(self, axis: Axis, bars: str) -> None:
        bounds = self.view.ranges.get(axis.name)
        left, right = _shares(axis, bounds)
        self._axis = axis
        self._area.show(bars + axes_svg(_HISTOGRAM, axis), box=None if bounds is None else ((left, 0), (right, 1)))

    async def _turn(self, redraw: Callable[[], Any], event: Any) -> None:
        self.column = event.value
        await redraw()

    async def _drag(self, corners: tuple[Corner, Corner] | None) -> None:
        _choose(self.view, self._axis, None if corners is None else (corners[0][0], corners[1][0]))
        await self.view.change()


def _choose(view: View, axis: Axis, shares: tuple[float, float] | None) -> None:
    view.ranges.pop(axis.name, None)
    if shares is not None and (bounds := axis.between(*shares)) != (-math.inf, math.inf):
        view.ranges[axis.name] = bounds


def _shares(axis: Axis, bounds: Range | None) -> tuple[float, float]:
    low, high = bounds or (-math.inf, math.inf)
    span = axis.high - axis.low
    return max((low - axis.low) / span, 0.0), min((high - axis.low) / span, 1.0)
