"""The gallery: a page of small pictures, in the order that was chosen."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from facegen.explore.rooms.data.choice import RANK
from facegen.explore.rooms.data.routes import small_url
from facegen.explore.rooms.data.view import PER_PAGE, View

STYLE = """
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); gap: 6px; width: 100% }
.faces figure { margin: 0; cursor: pointer; position: relative; background: #e3e7ec; border-radius: 4px }
.faces img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px; display: block }
.faces figure:hover { outline: 2px solid #2f5d8a }
.faces figcaption { font-size: 11px; text-align: center; color: #52606d; height: 16px; overflow: hidden }
.faces .kept { outline: 2px solid #1b7f5c }
"""
OpenFace = Callable[[int], Awaitable[None]]
_AS_THEY_ARE = "as they come"


class Gallery:
    """Pictures with the value by which they are sorted; a click opens a face by its place among the chosen ones."""

    def __init__(self, view: View, open_face: OpenFace) -> None:
        self.view, self._open = view, open_face
        with ui.row().classes("w-full items-center gap-2"):
            self._order = ui.select(self._orders(), value=_AS_THEY_ARE, label="sorted by", with_input=True)
            self._order.props('dense outlined options-dense data-testid="order"').classes("w-48")
            self._order.on_value_change(self._sort)
            self._turn = ui.button(icon="arrow_downward", on_click=self._turned).props("flat round dense")
            self._turn.tooltip("Largest or smallest first").mark("direction")
            ui.space()
            self._button("first_page", "First page", lambda: 0)
            self._button("chevron_left", "Page before", lambda: self.view.page - 1)
            self._page = ui.number("page", value=1, min=1, precision=0).classes("w-20")
            self._page.props('dense outlined data-testid="page"')
            self._page.on("change", lambda: self.turn_to(int(self._page.value or 1) - 1))
            self._of = ui.label()
            self._button("chevron_right", "Next page", lambda: self.view.page + 1)
            self._button("last_page", "Last page", lambda: self.view.num_pages - 1)
        self._grid = ui.element("div").classes("faces").props('data-testid="gallery"')

    async def show(self) -> None:
        """Show the view's page."""
        view = self.view
        ids = view.faces.identify(view.shown)
        captions = await asyncio.to_thread(view.captions)
        if self._grid.is_deleted:
            return
        order = (_AS_THEY_ARE if view.order is None else view.order) if view.order != RANK else RANK
        self._order.set_options(self._orders(), value=order)
        self._page.set_value(view.page + 1)
        self._of.set_text(f"of {view.num_pages:,}")
        self._grid.clear()
        with self._grid:
            for place, (row, face, caption) in enumerate(zip(view.shown.tolist(), ids, captions, strict=True)):
                figure(view, row, face, caption).on("click", partial(self._open, view.page * PER_PAGE + place))
            if not len(view.shown):
                ui.label("No face fits: take a filter away above.").classes("text-grey-7 q-pa-md")

    async def turn_to(self, page: int) -> None:
        """Show another page; beyond the ends, the first or last."""
        self.view.page = min(max(page, 0), self.view.num_pages - 1)
        await self.show()

    def _orders(self) -> list[str]:
        return [_AS_THEY_ARE, *([RANK] if self.view.found is not None else []), *self.view.faces.number_columns()]

    def _button(self, icon: str, tip: str, page: Callable[[], int]) -> None:
        button = ui.button(icon=icon, on_click=lambda: self.turn_to(page())).props("flat round dense").tooltip(tip)
        button.props(f'data-testid="{icon}"')

    async def _sort(self) -> None:
        order = None if self._order.value == _AS_THEY_ARE else self._order.value
        if order != self.view.order:
            self.view.order = order
            await self.view.change()

    async def _turned(self) -> None:
        self.view.descending = not self.view.descending
        self._turn.props(f"icon=arrow_{'downward' if self.view.descending else 'upward'}")
        await self.view.change()


def figure(view: View, row: int, face: str, caption: str) -> ui.element:
    """One small picture."""
    with ui.element("figure") as found:
        image = ui.element("img")
        image.props["src"] = small_url(view.number, row, view.faces)
        image.props["loading"], image.props["alt"] = "lazy", face
        found.props["title"] = face
        if caption:
            with ui.element("figcaption"):
                ui.label(caption)
    return found
