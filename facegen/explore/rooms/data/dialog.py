"""One face: a large picture, what is known drawn on it, all its columns, and what can be done with it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui import ui

from facegen.explore.rooms.data.facts import facts
from facegen.explore.rooms.data.overlays import layers_of
from facegen.explore.rooms.data.rating import rating_buttons, write_rating
from facegen.explore.rooms.data.routes import large_url
from facegen.explore.rooms.data.view import View

_CARD = "width: 1120px; max-width: 96vw; max-height: 94vh"


class FaceDialog:
    """Shows the faces of a view one by one, by their places among the chosen ones."""

    def __init__(self, view: View, like: Callable[[str], Awaitable[None]]) -> None:
        self.view, self._like, self._place = view, like, 0
        self._layers: list[str] = []
        with ui.dialog() as self._dialog, ui.card().style(_CARD).classes("gap-2"):
            with ui.row().classes("w-full no-wrap items-center"):
                self._title = ui.label().classes("text-subtitle1 ellipsis").props('data-testid="face-id"')
                ui.space()
                self._button("chevron_left", "Face before (left arrow)", lambda: self.open(self._place - 1))
                self._button("chevron_right", "Next face (right arrow)", lambda: self.open(self._place + 1))
                self._button("close", "Back to the gallery", self._dialog.close)
            with ui.row().classes("w-full no-wrap items-start gap-4"):
                with ui.column().classes("gap-2").style("width: 540px; max-width: 50vw; flex: none"):
                    self._picture = ui.element("img").props('data-testid="large"')
                    self._picture.style("width: 100%; max-height: 64vh; object-fit: contain; border-radius: 6px")
                    self._boxes = ui.row().classes("gap-x-3 gap-y-0")
                    with ui.row().classes("items-center gap-3 no-wrap"):
                        rating_buttons(self._rated)
                        self._said = ui.label().classes("text-caption text-green-9 ellipsis")
                    ui.button("Faces like this", icon="image_search", on_click=self._alike).props("dense flat")
                self._facts = ui.element("div").classes("col").style("max-height: 78vh; overflow: auto")
        ui.keyboard(on_key=self._key, ignore=["input", "select", "textarea"])

    async def open(self, place: int) -> None:
        """Show a face; beyond the ends, the first or last."""
        view = self.view
        if not len(view.rows):
            return
        self._place = min(max(place, 0), len(view.rows) - 1)
        row = int(view.rows[self._place])
        try:
            values, layers = await asyncio.to_thread(lambda: (view.faces.values(row), layers_of(view.faces, row)))
        except (ValueError, OSError) as error:
            return ui.notify(str(error), type="negative", multi_line=True)
        self._title.set_text(view.faces.identify(view.rows[self._place : self._place + 1])[0])
        self._said.set_text("")
        self._show_layers(layers)
        self._show_picture()
        self._facts.clear()
        with self._facts, ui.grid(columns="auto 1fr").classes("gap-x-3 gap-y-0 text-caption"):
            for name, value in facts(values):
                ui.label(name).classes("text-grey-7")
                ui.label(value).style("overflow-wrap: anywhere")
        self._dialog.open()

    def _show_layers(self, layers: list[str]) -> None:
        self._layers = [layer for layer in self._layers if layer in layers]
        self._boxes.clear()
        with self._boxes:
            for layer in layers:
                box = ui.checkbox(layer, value=layer in self._layers, on_change=partial(self._toggle, layer))
                box.props(f'dense data-testid="layer-{layer}"')

    def _show_picture(self) -> None:
        row = int(self.view.rows[self._place])
        self._picture.props["src"] = large_url(self.view.number, row, self.view.faces, ",".join(self._layers))
        self._picture.update()

    def _toggle(self, layer: str, event: Any) -> None:
        self._layers = [other for other in self._layers if other != layer] + [layer] * bool(event.value)
        self._show_picture()

    async def _rated(self, rating: float | None) -> None:
        await write_rating(self.view, int(self.view.rows[self._place]), rating, self._said)

    async def _alike(self) -> None:
        self._dialog.close()
        await self._like(self._title.text)

    async def _key(self, event: Any) -> None:
        if self._dialog.value and event.action.keydown and (event.key.arrow_left or event.key.arrow_right):
            await self.open(self._place + (1 if event.key.arrow_right else -1))

    def _button(self, icon: str, tip: str, act: Callable[[], Any]) -> None:
        ui.button(icon=icon, on_click=act).props(f'flat round dense data-testid="face-{icon}"').tooltip(tip)
