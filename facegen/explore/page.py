"""The frame around the rooms: addresses, and the bar on top that leads from one to another."""

from collections.abc import Callable

from fastapi import FastAPI
from nicegui import ui

from facegen.explore.opened import Opened
from facegen.explore.rooms import data, generator, studies

Room = Callable[[Opened], None]
ROOMS: dict[str, tuple[str, Room]] = {
    "/": ("Data", data.room),
    "/generator": ("Generator", generator.room),
    "/studies": ("Studies", studies.room),
}
_STYLE = "body { background: #f6f7f9 } .nicegui-content { padding: 12px 16px }"


def build(app: FastAPI, opened: Opened) -> None:
    """Register the pages of the rooms and the addresses that their pictures have."""
    data.routes(app, opened)
    studies.routes(app, opened)
    for path, (title, room) in ROOMS.items():
        ui.page(path, title=f"{title} · facegen", response_timeout=30)(_framed(path, room, opened))


def _framed(path: str, room: Room, opened: Opened) -> Callable[[], None]:
    def page() -> None:
        ui.colors(primary="#2f5d8a")
        ui.add_css(_STYLE)
        with ui.header(elevated=True).classes("items-center q-py-xs"):
            ui.label("facegen").classes("text-h6 q-mr-md")
            for address, (title, _) in ROOMS.items():
                link = ui.link(title, address).classes("text-white q-mx-sm")
                link.classes("text-weight-bold" if address == path else "no-underline")
        room(opened)

    return page
