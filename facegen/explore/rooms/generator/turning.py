"""Turning a face by dragging it: angles while the hand moves, and fields for those who want exact ones."""

from nicegui import events, ui

from facegen.explore.rooms.generator.desk import Desk
from facegen.explore.rooms.generator.panels import card, labelled_slider, value_of
from facegen.explore.rooms.generator.wishes import MOST_PITCH, MOST_YAW, MOST_ZOOM, Angle

_WHEEL = 1.1  # zoom of one notch
_LEFT = 1  # of `buttons`


class Turning:
    """The panel, and what happens on the picture. Faces that turn quickly do so while the hand moves."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._from: tuple[tuple[float, float], Angle] | None = None
        self.desk.on_mouse, self.desk.on_wheel = self._moved, self._wheeled
        with card():
            ui.label("Turn: drag the picture, zoom with the wheel").classes("text-caption")
            self.yaw = labelled_slider("Yaw, degrees", -MOST_YAW, MOST_YAW, 1, 0, self._set, "yaw")
            self.pitch = labelled_slider("Pitch, degrees", -MOST_PITCH, MOST_PITCH, 1, 0, self._set, "pitch")
            self.zoom = labelled_slider("Zoom", 1 / MOST_ZOOM, MOST_ZOOM, 0.05, 1, self._set, "zoom")
            ui.button("Front", on_click=self._front).props("flat dense").tooltip("Back to the frontal camera")

    async def _moved(self, event: events.MouseEventArguments) -> None:
        at = event.image_x, event.image_y
        if event.type == "mousedown":
            self._from = at, self.desk.wish.angle
        elif self._from is not None:
            (x, y), angle = self._from
            side = self.desk.made.picture.shape[1] if self.desk.made is not None else 1
            ended = event.type == "mouseup" or not event.buttons & _LEFT
            self._from = None if ended else self._from
            await self._turn(angle.dragged((at[0] - x) / side, (at[1] - y) / side), not ended)

    async def _turn(self, angle: Angle, moving: bool) -> None:
        self._follow(angle)
        self.desk.wish = self.desk.wish._replace(angle=angle, draft=moving)
        if not moving or self.desk.source.kind == "3d":  # a diffusion model takes seconds: when the hand rests
            await self.desk.show()

    async def _wheeled(self, event: events.GenericEventArguments) -> None:
        await self._turn(self.desk.wish.angle.zoomed(_WHEEL if event.args["deltaY"] < 0 else 1 / _WHEEL), False)

    async def _set(self) -> None:
        angle = Angle(*(value_of(each) for each in (self.yaw, self.pitch, self.zoom)))
        if angle != self.desk.wish.angle:
            await self._turn(angle, False)

    async def _front(self) -> None:
        await self._turn(Angle(), False)

    def _follow(self, angle: Angle) -> None:
        """The sliders show what the hand did."""
        self.desk.wish = self.desk.wish._replace(angle=angle)
        self.yaw.value, self.pitch.value, self.zoom.value = angle
