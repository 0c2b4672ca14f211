"""Pictures that control a model: drawn with a brush over one another, uploaded, or left to the seed's person."""

from functools import partial

from nicegui import events, run, ui

from facegen.explore.rooms.generator.desk import Desk
from facegen.explore.rooms.generator.drawing import MOST_POINTS, Stroke, drawn, empty, palette, svg, uploaded
from facegen.explore.rooms.generator.panels import card, value_of
from facegen.explore.rooms.generator.seen import address_of
from facegen.explore.rooms.generator.wishes import Picture

_SHOWN = 232  # pixels of the side of the canvas on the page
_MOST_BYTES = 16 * 2**20
_LEFT = 1


class Canvas:
    """One control: its ground, and the strokes over it."""

    def __init__(self, desk: Desk, control: str) -> None:
        self.desk, self.control = desk, control
        self.side: int = desk.source.network.img_resolution
        self.ground: Picture | None = None
        self.strokes: list[Stroke] = []
        colors = palette(control)
        with card(), ui.row().classes("no-wrap"):
            first = empty(control, self.side)
            self.canvas = ui.interactive_image(
                address_of(first),
                events=["mousedown", "mousemove", "mouseup"],
                sanitize=False,
                on_mouse=self._moved,
            )
            self.canvas.style(f"width: {_SHOWN}px; height: {_SHOWN}px; cursor: crosshair; image-rendering: pixelated")
            self.canvas.props(f'data-testid="canvas-{control}"')
            with ui.column().classes("q-gutter-y-xs").style("width: 136px"):
                ui.label(f"Control: {control}").classes("text-bold")
                self.color = ui.select({color: name for name, color in colors.items()}, label="Brush")
                self.color.set_value([*colors.values()][1])
                self.color.props("dense outlined").classes("w-full")
                self.width = ui.slider(min=0.01, max=0.3, step=0.01, value=0.06).tooltip("Width of the brush")
                with ui.row().classes("q-gutter-xs"):
                    for icon, says, act in (
                        ("undo", "Take the last stroke back", self._undo),
                        ("delete", "Draw nothing: back to the seed's person, or no control", self._clear),
                        ("content_copy", "Draw over the hint of the picture shown", self._take),
                    ):
                        ui.button(icon=icon, on_click=act).props(f'flat dense aria-label="{says}"').tooltip(says)
                upload = ui.upload(on_upload=self._upload, max_file_size=_MOST_BYTES, auto_upload=True, label="Upload")
                upload.props('accept="image/*" flat dense').classes("w-full").on("rejected", self._rejected)

    async def _moved(self, event: events.MouseEventArguments) -> None:
        at = (event.image_x / self.side, event.image_y / self.side)
        if event.type == "mousedown":
            self.strokes.append(Stroke(str(self.color.value), value_of(self.width), [at]))
        elif event.type == "mouseup":
            await self.apply()
        elif event.buttons & _LEFT and self.strokes and self._points < MOST_POINTS:
            self.strokes[-1].points.append(at)
        self.canvas.content = svg(self.strokes, self.side)

    @property
    def _points(self) -> int:
        return sum(len(stroke.points) for stroke in self.strokes)

    async def apply(self) -> None:
        """Wish for a picture that this controls."""
        if self.ground is None and not self.strokes:
            hint = None
        else:
            hint = drawn(self.strokes, empty(self.control, self.side) if self.ground is None else self.ground)
        hints = {name: picture for name, picture in self.desk.wish.hints.items() if name != self.control}
        await self.desk.change(hints=hints if hint is None else {**hints, self.control: hint})

    async def _undo(self) -> None:
        del self.strokes[-1:]
        await self._redraw()

    async def _clear(self) -> None:
        self.strokes, self.ground = [], None
        await self._redraw()

    async def _take(self) -> None:
        made = self.desk.made
        if made is None or self.control not in made.hints:
            ui.notify("the picture shown was made without this control", type="warning")
            return
        self.strokes, self.ground = [], made.hints[self.control]
        await self._redraw()

    async def _upload(self, event: events.UploadEventArguments) -> None:
        event.sender.run_method("reset")
        content = await event.file.read()
        try:
            self.ground = await run.io_bound(partial(uploaded, content, self.control, self.side))
        except ValueError as error:
            ui.notify(" ".join(str(error).split())[:300], type="negative")
            return
        self.strokes = []
        await self._redraw()

    def _rejected(self) -> None:
        ui.notify(f"expected a picture of at most {_MOST_BYTES // 2**20} MB", type="negative")

    async def _redraw(self) -> None:
        ground = empty(self.control, self.side) if self.ground is None else self.ground
        self.canvas.set_source(address_of(ground))
        self.canvas.content = svg(self.strokes, self.side)
        await self.apply()
