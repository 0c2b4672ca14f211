"""The search box: a condition, words, an example."""

import asyncio
from typing import Any

import numpy as np
from nicegui import ui

from facegen.curation.searching import Query, Space
from facegen.data.asking import names_of
from facegen.data.headers import ImageError
from facegen.explore.rooms.data.answers import MOST_ALIKE, Answer, answer
from facegen.explore.rooms.data.densities import address_of
from facegen.explore.rooms.data.pictures import Picture, decode_checked, fitted
from facegen.explore.rooms.data.view import View

_MOST_BYTES = 16 * 2**20


class SearchPanel:
    """Fields of the search; what it finds narrows the view's choice."""

    def __init__(self, view: View, space: Space) -> None:
        self.view, self._space = view, space
        self._example: Picture | None = None
        columns = list(view.faces.columns())
        self._where = self._field("condition, such as yaw_degrees > 40", "where")
        self._where.tooltip("SQL on the columns; and, or, not; CelebA's attributes and flags by name")
        self._text = self._field("words, such as a man with a beard", "text")
        with ui.row().classes("w-full no-wrap items-center gap-2"):
            ui.button("Search", icon="search", on_click=self.search).props("dense unelevated").mark("search")
            ui.button("Clear", on_click=self.clear).props("dense flat").mark("clear")
            self._upload = ui.upload(label="like this picture", auto_upload=True, max_file_size=_MOST_BYTES)
            self._upload.classes("hidden").on_upload(self._uploaded)
            self._upload.on("rejected", lambda: self._complain(f"expected a picture of at most {_MOST_BYTES:,} bytes"))
            pick = ui.button("Example", icon="image_search", on_click=lambda: self._upload.run_method("pickFiles"))
            pick.props("dense flat").tooltip("Find faces like a picture of yours, cut out as these faces are")
            self._preview = ui.element("img").style("height: 32px; border-radius: 4px")
            self._preview.set_visibility(False)
        with ui.expansion("What can be asked").props("dense").classes("w-full text-caption"):
            ui.label(", ".join(names_of(columns))).classes("text-grey-8").style("overflow-wrap: anywhere")

    async def search(self) -> None:
        """Search for what the fields say."""
        where, text = self._said(self._where), self._said(self._text)
        if where is None and text is None and self._example is None:
            return await self.clear()
        await self._ask(Query(where, text, self._example, count=MOST_ALIKE))

    async def like(self, face: str) -> None:
        """Search for faces like one of these."""
        await self._ask(Query(self._said(self._where), face=face, count=MOST_ALIKE))

    async def clear(self) -> None:
        """Empty the fields, and let go of what they found."""
        self._where.value = self._text.value = ""
        self._show_example(None)
        self.view.forget()
        await self.view.change()

    async def _ask(self, query: Query) -> None:
        found = await asyncio.to_thread(self._answer, query)
        if isinstance(found, str):
            return self._complain(found)
        self.view.find(found.rows, found.by, found.scores, is_ranked=found.scores is not None)
        await self.view.change()

    def _answer(self, query: Query) -> Answer | str:
        try:
            return answer(self.view.faces, query, self._space)
        except (ValueError, OSError) as error:
            return str(error)

    async def _uploaded(self, event: Any) -> None:
        self._upload.reset()
        data = await event.file.read()
        try:
            if len(data) > _MOST_BYTES:
                raise ImageError(f"got {len(data):,} bytes, expected at most {_MOST_BYTES:,}")
            self._show_example(await asyncio.to_thread(decode_checked, data))
        except ImageError as error:
            return self._complain(f"The example cannot be used: {error}")
        await self.search()

    def _show_example(self, example: Picture | None) -> None:
        self._example = example
        self._preview.set_visibility(example is not None)
        if example is not None:
            self._preview.props["src"] = address_of(np.asarray(fitted(example, 64)))
            self._preview.update()

    def _field(self, label: str, name: str) -> ui.input:
        field = ui.input(label).classes("w-full").props(f'dense outlined clearable data-testid="{name}"')
        field.on("keydown.enter", self.search)
        return field

    @staticmethod
    def _said(field: ui.input) -> str | None:
        return (field.value or "").strip() or None

    def _complain(self, reason: str) -> None:
        ui.notify(reason, type="negative", multi_line=True, timeout=10_000)
