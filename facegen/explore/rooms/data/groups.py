"""Near-duplicates: groups of faces that `facegen data describe columns=[duplicates]` found."""

import asyncio
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from nicegui import ui

from facegen.explore.rooms.data.choice import Rows, mask_of
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.rooms.data.gallery import figure
from facegen.explore.rooms.data.view import View

GROUP, OF, COSINE = "duplicate_group", "duplicate_of", "duplicate_cosine"
_PER_PAGE, _MOST_SHOWN = 10, 9


class Groups(NamedTuple):
    """Groups, the largest first: of group n the rows[starts[n] : starts[n + 1]], first the one to keep."""

    rows: Rows
    starts: Int[np.ndarray, " group_and_end"]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, number: int) -> Rows:
        """The faces of one group."""
        return self.rows[self.starts[number] : self.starts[number + 1]]


def groups_of(faces: Faces, among: Rows) -> Groups:
    """The groups of which at least one face is `among` these rows, whole. Sources have groups of their own."""
    numbers = faces.numbers(GROUP)
    rows = np.flatnonzero(np.isfinite(numbers))
    if not len(rows):
        return Groups(rows, np.zeros(1, np.int64))
    source = np.searchsorted(faces.starts, rows, "right")
    order = np.lexsort((rows, faces.known(OF)[rows], numbers[rows], source))
    rows, keys = rows[order], np.stack([numbers[rows], source])[:, order]
    starts = np.flatnonzero(np.append(True, (np.diff(keys, axis=1) != 0).any(0)))
    sizes = np.diff(np.append(starts, len(rows)))
    touched = np.add.reduceat(mask_of(among, len(faces))[rows].astype(np.int64), starts) > 0
    largest = np.argsort(-sizes, kind="stable")
    largest = largest[touched[largest]]
    members = [rows[starts[group] : starts[group] + sizes[group]] for group in largest.tolist()]
    return Groups(np.concatenate([rows[:0], *members]), np.cumsum(np.append(0, sizes[largest])))


class GroupsPanel:
    """Groups among the chosen faces, a line for each."""

    def __init__(self, view: View, tabs: ui.tabs, gallery: str) -> None:
        self.view, self._tabs, self._gallery, self._page = view, tabs, gallery, 0
        self._groups = Groups(np.zeros(0, np.int64), np.zeros(1, np.int64))
        with ui.row().classes("w-full items-center gap-2"):
            self._said = ui.label().props('data-testid="groups-count"')
            ui.space()
            ui.button(icon="chevron_left", on_click=lambda: self._turn(-1)).props("flat round dense").tooltip("Larger")
            ui.button(icon="chevron_right", on_click=lambda: self._turn(1)).props("flat round dense").tooltip("Smaller")
        self._lines = ui.column().classes("w-full gap-2")

    async def show(self) -> None:
        """Look for groups among the faces that are chosen now."""
        if GROUP not in self.view.faces.columns():
            self._said.set_text("No groups are known; find them: facegen data describe columns=[embedding,duplicates]")
            return
        self._groups = await asyncio.to_thread(groups_of, self.view.faces, self.view.rows)
        self._page = 0
        self._draw()

    def _turn(self, step: int) -> None:
        last = max(-(-len(self._groups) // _PER_PAGE) - 1, 0)
        self._page = min(max(self._page + step, 0), last)
        self._draw()

    def _draw(self) -> None:
        groups, first = self._groups, self._page * _PER_PAGE
        last = min(first + _PER_PAGE, len(groups))
        shown = f", these are {first + 1:,} to {last:,}" if last > first else ""
        self._said.set_text(f"{len(groups):,} groups of {len(groups.rows):,} faces; the framed one is to keep{shown}")
        self._lines.clear()
        with self._lines:
            for number in range(first, last):
                self._line(groups.of(number))

    def _line(self, rows: Rows) -> None:
        view, shown = self.view, rows[:_MOST_SHOWN]
        cosines = view.faces.numbers(COSINE)[rows] if COSINE in view.faces.columns() else np.zeros(0)
        known = cosines[np.isfinite(cosines)]
        captions = [f"{value:.3f}" if np.isfinite(value) else "" for value in cosines[:_MOST_SHOWN]] or [""] * len(
            shown
        )
        with ui.row().classes("w-full no-wrap items-center gap-3"):
            with ui.column().classes("gap-0").style("width: 120px; flex: none"):
                ui.label(f"{len(rows):,} faces").classes("text-weight-medium")
                ui.label(f"cosine {known.min():.3f} or more" if len(known) else "").classes("text-caption")
                ui.button("In gallery", on_click=partial(self._choose, rows)).props("flat dense size=sm")
            with ui.element("div").classes("faces"):
                for place, (row, face) in enumerate(zip(shown.tolist(), view.faces.identify(shown), strict=True)):
                    found = figure(view, row, face, captions[place])
                    if place == 0:
                        found.classes("kept")

    async def _choose(self, rows: Rows) -> None:
        self._tabs.set_value(self._gallery)
        self.view.find(rows, f"a group of {len(rows):,} near-duplicates")
        await self.view.change()
