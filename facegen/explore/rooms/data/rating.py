"""Buttons to rate faces, and the panel that shows one face after another to be rated."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui import ui

from facegen.curation.taste.ratings import STARS
from facegen.explore.rooms.data.ratings import next_rows, rate
from facegen.explore.rooms.data.routes import large_url
from facegen.explore.rooms.data.view import View

_AT_ONCE = 8  # faces chosen for rating before the ratings are looked at again
Rate = Callable[[float | None], Awaitable[None]]


def rating_buttons(rated: Rate) -> None:
    """Dislike, one to five stars, like, and none."""
    with ui.row().classes("items-center gap-1 no-wrap"):
        _button("thumb_down", "Dislike (d)", "dislike", partial(rated, 0.0))
        for stars in range(1, STARS + 1):
            button = ui.button(str(stars), on_click=partial(rated, (stars - 1) / (STARS - 1)))
            button.props(f'flat round dense data-testid="stars-{stars}"').tooltip(f"{stars} of {STARS}")
        _button("thumb_up", "Like (l)", "like", partial(rated, 1.0))
        _button("undo", "Take the rating back", "unrate", partial(rated, None))


async def write_rating(view: View, row: int, rating: float | None, said: ui.label) -> bool:
    """Write a rating down and say so in a label. False where that failed."""
    try:
        await asyncio.to_thread(rate, view.faces, row, rating, view.rater)
    except (ValueError, OSError) as error:
        ui.notify(f"The rating was not written: {error}", type="negative", multi_line=True)
        return False
    face = view.faces.place(row).id
    what = "rating taken back" if rating is None else f"rated {1 + rating * (STARS - 1):.0f} of {STARS}"
    said.set_text(f"{face}: {what}")
    return True


class RatingPanel:
    """One face at a time, those first whose rating says most."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._queue: list[int] = []
        with ui.row().classes("w-full items-center gap-3"):
            rater = ui.input("your name", value="", on_change=self._named).props("dense outlined").classes("w-40")
            rater.tooltip("Ratings of several people are kept apart; may stay empty").mark("rater")
            with ui.column().classes("col gap-0"):
                self._said = ui.label().props('data-testid="rate-said"')
                self._last = ui.label().classes("text-caption text-green-9").props('data-testid="rate-last"')
        with ui.column().classes("w-full items-center gap-2") as self._face:
            self._picture = ui.element("img").props('data-testid="rate-picture"')
            self._picture.style("height: 56vh; max-width: 100%; border-radius: 6px")
            with ui.row().classes("items-center gap-2"):
                rating_buttons(self._rated)
                ui.button("Skip", on_click=self._next).props("flat dense").tooltip("Show another face (s)")
        ui.keyboard(on_key=self._key, ignore=["input", "select", "textarea"])

    async def show(self) -> None:
        """Look which faces to rate among those that are chosen now."""
        self._queue = []
        await self._next()

    async def _next(self) -> None:
        self._queue = self._queue[1:]
        if not self._queue:
            try:
                found = await asyncio.to_thread(next_rows, self.view.faces, self.view.rows, self.view.rater, _AT_ONCE)
            except (ValueError, OSError) as error:
                return ui.notify(str(error), type="negative", multi_line=True)
            self._queue = found.rows.tolist()
            self._said.set_text(found.said)
        self._face.set_visibility(bool(self._queue))
        if self._queue:
            self._picture.props["src"] = large_url(self.view.number, self._queue[0], self.view.faces, "")
            self._picture.update()

    async def _rated(self, rating: float | None) -> None:
        if self._queue and await write_rating(self.view, self._queue[0], rating, self._last):
            await self._next()

    async def _named(self, event: Any) -> None:
        self.view.rater = event.value.strip()
        await self.show()

    async def _key(self, event: Any) -> None:
        if not (event.action.keydown and self.view.is_rating):
            return
        number = event.key.number
        if event.key in ("l", "d"):
            await self._rated(float(event.key == "l"))
        elif number is not None and 1 <= number <= STARS:
            await self._rated((number - 1) / (STARS - 1))
        elif event.key == "s":
            await self._next()


def _button(icon: str, tip: str, name: str, act: Callable[[], Any]) -> None:
    ui.button(icon=icon, on_click=act).props(f'flat round dense data-testid="{name}"').tooltip(tip)
