"""What one visitor has before them: a generator, the wish that it fulfils, and the picture of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui import events, run, ui

from facegen.explore.opened import Opened
from facegen.explore.rooms.generator.denoising import DRAWN
from facegen.explore.rooms.generator.loaded import Loaded, loaded
from facegen.explore.rooms.generator.making import Maker
from facegen.explore.rooms.generator.seen import Made, address_of
from facegen.explore.rooms.generator.wishes import Wish
from facegen.explore.widgets.latest import Latest

SHOWN, _HINT = 480, 112  # pixels of the sides of the picture and of hints on the page


_EVENTS = ["mousedown", "mousemove", "mouseup"]
OnMouse = Callable[[events.MouseEventArguments], Awaitable[None]]
OnWheel = Callable[[events.GenericEventArguments], Awaitable[None]]


class OvertakenError(Exception):
    """A newer wish waits."""


class Desk:
    """The state of one visitor; panels change `wish` through `change`, and the picture follows."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.wish = Wish()
        self.on_mouse: OnMouse | None = None  # what the panel of the generator does with the hand and the wheel
        self.on_wheel: OnWheel | None = None
        self.made: Made | None = None
        self.maker: Maker | None = None
        self._latest = Latest(self._fulfil)
        self._steps = (0, 0)
        with ui.element("div").style(f"position: relative; width: {SHOWN}px"):
            self.picture = ui.interactive_image(events=_EVENTS, sanitize=False, on_mouse=self._moused)
            self.picture.on("wheel.prevent", self._wheeled, ["deltaY"], throttle=0.1)
            self.picture.style(f"width: {SHOWN}px; height: {SHOWN}px; background: #e9edf1; user-select: none").mark(
                "picture"
            )
            self.picture.props('data-testid="picture"')
            self.bar = ui.linear_progress(0, show_value=False).props("instant-feedback").classes("absolute-bottom")
            self.bar.set_visibility(False)
        self.hints = ui.row().style("gap: 8px")
        self.caption = ui.label("").classes("text-caption text-grey-8").props('data-testid="caption"')
        ui.timer(0.2, self._move_bar)

    @property
    def source(self) -> Loaded:
        """The generator that is chosen."""
        assert self.maker is not None
        return self.maker.source

    async def choose(self, name: str) -> bool:
        """Load a generator by the name it has among the opened ones; says why where that fails."""
        path = self.opened.generators().get(name)
        if path is None:
            ui.notify(f"{name} is no longer there", type="warning")
            return False
        self.caption.text = f"loading {name} …"
        try:
            source = await run.io_bound(loaded, path)
        except (ValueError, OSError, ImportError) as error:
            self.caption.text = ""
            ui.notify(_line(error), type="negative", multi_line=True)
            return False
        self.wish, self.made, self.on_mouse, self.on_wheel = Wish(), None, None, None
        self.maker = None if source is None else Maker(source)
        return source is not None  # None: the program ends

    async def change(self, **fields: Any) -> None:
        """Wish for something else, and show it."""
        self.wish = self.wish._replace(**fields)
        await self.show()

    async def show(self) -> None:
        """Make the picture of the wish, unless a newer one comes."""
        if self.maker is not None:
            await self._latest()

    async def _moused(self, event: events.MouseEventArguments) -> None:
        if self.on_mouse is not None:
            await self.on_mouse(event)

    async def _wheeled(self, event: events.GenericEventArguments) -> None:
        if self.on_wheel is not None:
            await self.on_wheel(event)

    async def _fulfil(self) -> None:
        assert self.maker is not None
        wish = self.wish
        try:
            made = await run.io_bound(self.maker.make, wish, partial(self._report, wish))
        except OvertakenError:
            return
        except (ValueError, RuntimeError) as error:
            ui.notify(_line(error), type="negative", multi_line=True)
            return
        finally:
            self._steps = (0, 0)
        if made is None or self.picture.is_deleted:
            return
        self.made = made
        self.picture.set_source(address_of(made.picture))
        self.caption.text = _says(wish, made)
        self.hints.clear()
        with self.hints:
            for name, hint in made.hints.items():
                with ui.column().style("gap: 2px"):
                    ui.label(f"told by {name}").classes("text-caption text-grey-8")
                    ui.interactive_image(address_of(hint)).style(f"width: {_HINT}px").props(f'alt="{name}"')

    def _report(self, wish: Wish, done: int, total: int) -> None:
        """Told by the thread that denoises; what nobody wishes any more is given up."""
        self._steps = done, total
        if self.wish is not wish:
            raise OvertakenError

    def _move_bar(self) -> None:
        done, total = self._steps
        self.bar.set_visibility(total > 0)
        self.bar.value = done / max(total, 1)


def _says(wish: Wish, made: Made) -> str:
    height, width = made.picture.shape[:2]
    words = [f"seed {wish.seed}", f"{width}×{height}", f"{made.seconds:.2f} s"]
    if made.camera is not None or any(name in DRAWN for name in made.hints):
        words.insert(1, f"yaw {wish.angle.yaw:+.0f}°, pitch {wish.angle.pitch:+.0f}°, zoom {wish.angle.zoom:.2f}")
    return " · ".join(words)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400] or type(error).__name__
