"""The room Data."""

import asyncio
from functools import partial
from typing import Any

from nicegui import ui

from facegen.explore.opened import Opened
from facegen.explore.rooms.data import gallery
from facegen.explore.rooms.data.choice import Rows, chosen
from facegen.explore.rooms.data.dialog import FaceDialog
from facegen.explore.rooms.data.faces import faces_of
from facegen.explore.rooms.data.groups import GroupsPanel
from facegen.explore.rooms.data.plots import DensityPlot, Histogram, Show, first_histograms
from facegen.explore.rooms.data.rating import RatingPanel
from facegen.explore.rooms.data.saving import SaveDialog
from facegen.explore.rooms.data.search import SearchPanel
from facegen.explore.rooms.data.view import View
from facegen.explore.widgets.latest import Latest

_LEFT = "width: 400px; flex: none"
_CARD = "padding: 10px"
_GALLERY, _DUPLICATES, _RATE = "Gallery", "Near-duplicates", "Rate"


def room(opened: Opened) -> None:
    """Build the room for one visitor."""
    if not opened.recipes:
        ui.label("No faces are open. Start with a folder or zip of them: facegen explore FOLDER").classes("q-pa-md")
        return
    ui.add_css(gallery.STYLE)
    names = list(opened.recipes)
    if len(names) > 1:
        choose = ui.select(names, value=names[0], label="dataset").classes("w-96")
        choose.props('dense outlined options-dense data-testid="dataset"')
        choose.on_value_change(lambda event: _open(body, opened, event.value))
    body = ui.element("div").classes("w-full")
    _open(body, opened, names[0])


def _open(body: ui.element, opened: Opened, name: str) -> None:
    body.clear()
    with body:
        _Desk(opened, name)


class _Desk:
    """One dataset before one visitor: what is chosen on the left, what it is on the right."""

    def __init__(self, opened: Opened, name: str) -> None:
        number = list(opened.recipes).index(name)
        self._refresh = Latest(self._choose)
        self.view = View(number, faces_of(opened.recipes[name]), self._refresh)
        self._histograms: list[Histogram] = []
        self._save = SaveDialog(self.view, opened.outdir)
        for problem in self.view.faces.outdated():
            ui.label(problem).classes("text-caption text-orange-10").props('data-testid="outdated"')
        with ui.row().classes("w-full no-wrap items-start gap-4") as self._root:
            with ui.column().classes("gap-2").style(_LEFT):
                self._left(opened)
            with ui.column().classes("col gap-2").style("min-width: 0"):
                self._right()
        ui.timer(0, self._refresh, once=True)

    def _left(self, opened: Opened) -> None:
        with ui.card().classes("w-full gap-2").style(_CARD).props("flat bordered"):
            search = SearchPanel(self.view, opened.space)
        self._dialog = FaceDialog(self.view, search.like)
        with ui.card().classes("w-full gap-1").style(_CARD).props("flat bordered"):
            self._density = DensityPlot(self.view, self._refresh)
            ui.label("Drag over a plot to choose faces, click for all.").classes("text-caption text-grey-7")
        with ui.card().classes("w-full gap-2").style(_CARD).props("flat bordered"):
            self._bars = ui.column().classes("w-full gap-2")
            for column in first_histograms(self.view.faces.number_columns()):
                self._add(column)
            ui.button("histogram", icon="add", on_click=self._add_another).props("flat dense").mark("add-histogram")

    def _right(self) -> None:
        with ui.row().classes("w-full items-center gap-2"):
            self._count = ui.label().classes("text-subtitle1 text-weight-medium").props('data-testid="count"')
            ui.space()
            alone = ui.checkbox("without near-duplicates", on_change=self._alone).props("dense")
            alone.props('data-testid="alone"').tooltip("Of each group only the face to keep")
            alone.set_enabled("duplicate_of" in self.view.faces.columns())
            save = ui.button("Save as recipe", icon="save", on_click=self._save.open).props("dense unelevated")
            save.props('data-testid="save"').tooltip("Write what is chosen as a recipe to train on")
        self._chips = ui.row().classes("w-full items-center gap-1")
        with ui.tabs().props("dense align=left").classes("w-full") as tabs:
            for name in (_GALLERY, _DUPLICATES, _RATE):
                ui.tab(name).props(f'data-testid="tab-{name.lower()}"')
        with ui.tab_panels(tabs, value=_GALLERY, animated=False).classes("w-full bg-transparent").props("keep-alive"):
            with ui.tab_panel(_GALLERY).classes("gap-2").style("padding: 4px 0"):
                self._gallery = gallery.Gallery(self.view, self._dialog.open)
            with ui.tab_panel(_DUPLICATES).classes("gap-2").style("padding: 4px 0"):
                self._groups = GroupsPanel(self.view, tabs, _GALLERY)
            with ui.tab_panel(_RATE).classes("gap-2").style("padding: 4px 0"):
                self._rating = RatingPanel(self.view)
        tabs.on_value_change(self._turned)

    async def _turned(self, event: Any) -> None:
        self.view.is_rating = event.value == _RATE
        if event.value == _DUPLICATES:
            await self._groups.show()
        elif event.value == _RATE:
            await self._rating.show()

    def _work(self) -> tuple[Rows, list[Show]]:
        """What takes time, outside of the event loop."""
        rows = chosen(self.view.faces, self.view.choice)
        return rows, [plot.draw(rows) for plot in (self._density, *self._histograms)]

    async def _choose(self) -> None:
        """Choose again and show it."""
        with self._root:
            try:
                rows, shows = await asyncio.to_thread(self._work)
            except (ValueError, OSError) as error:
                ui.notify(str(error), type="negative", multi_line=True)
                return
            if self._root.is_deleted:  # another dataset was opened meanwhile
                return
            self.view.rows = rows
            for show in shows:
                show()
            self._say()
            await self._gallery.show()

    def _say(self) -> None:
        self._count.set_text(f"{len(self.view.rows):,} of {len(self.view.faces):,} faces")
        self._chips.clear()
        with self._chips:
            for text, undo in self.view.wishes():
                chip = ui.chip(text, removable=True, color="blue-1").props("dense square")
                chip.on("remove", partial(self._undo, undo)).tooltip("The cross takes it away")

    async def _undo(self, undo: Any) -> None:
        undo()
        await self.view.change()

    async def _alone(self, event: Any) -> None:
        self.view.alone = event.value
        await self.view.change()

    def _add(self, column: str) -> None:
        with self._bars:
            self._histograms.append(Histogram(self.view, column, self._refresh, self._close))

    async def _add_another(self) -> None:
        shown = {histogram.column for histogram in self._histograms}
        columns = self.view.faces.number_columns()
        self._add(next((name for name in columns if name not in shown), columns[0]))
        await self._refresh()

    def _close(self, histogram: Histogram) -> None:
        self._histograms.remove(histogram)
        histogram.element.delete()
