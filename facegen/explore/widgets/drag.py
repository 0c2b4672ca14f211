"""A picture on which a person drags a rectangle, or a range."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import MouseEventArguments

from facegen.explore.widgets.axes import Frame
from facegen.explore.widgets.svg import box_svg

Corner = tuple[float, float]
_LEAST = 4  # pixels: less is a click


class DragArea:
    """A plot whose `chosen` gets the shares of two opposite corners after a drag, or None after a click.

    `only_x`: the whole height belongs to what is dragged.
    """

    def __init__(
        self,
        frame: Frame,
        chosen: Callable[[tuple[Corner, Corner] | None], Awaitable[None]],
        name: str,
        only_x: bool = False,
    ) -> None:
        self.frame, self._chosen, self._only_x = frame, chosen, only_x
        self._from: Corner | None = None
        self._to: Corner = (0.0, 0.0)
        events = ["mousedown", "mousemove", "mouseup"]
        size = (frame.width, frame.height)
        self._image = ui.interactive_image(size=size, events=events, on_mouse=self._mouse)
        self._image.classes("w-full").style("cursor: crosshair; user-select: none").props(f'data-testid="{name}"')
        self._box = self._image.add_layer()

    def show(self, content: str, picture: str = "", box: tuple[Corner, Corner] | None = None) -> None:
        """Replace what is drawn: SVG, a picture below it as an address, and the rectangle that holds, in shares."""
        self._image.set_source(picture)
        self._image.set_content(content)
        if self._from is None:
            self._show_box(None if box is None else (self.frame.pixel(*box[0]), self.frame.pixel(*box[1])))

    async def _mouse(self, event: MouseEventArguments) -> None:
        place = event.image_x, event.image_y
        if event.type == "mousedown":
            self._from = self._to = place
        elif self._from is not None and event.type == "mousemove" and event.buttons & 1:
            self._to = place
            self._show_box((self._from, place))
        elif self._from is not None:  # released here, or elsewhere before the mouse came back
            self._to = place if event.type == "mouseup" else self._to
            await self._release(self._from)

    async def _release(self, start: Corner) -> None:
        end, self._from = self._to, None
        if max(abs(start[0] - end[0]), 0 if self._only_x else abs(start[1] - end[1])) < _LEAST:
            self._show_box(None)
            await self._chosen(None)
        else:
            await self._chosen((self.frame.shares(*start), self.frame.shares(*end)))

    def _show_box(self, corners: tuple[Corner, Corner] | None) -> None:
        if corners is not None and self._only_x:
            top, bottom = self.frame.pixel(0, 1)[1], self.frame.pixel(0, 0)[1]
            corners = (corners[0][0], top), (corners[1][0], bottom)
        self._box.set_content("" if corners is None else box_svg(*corners))
