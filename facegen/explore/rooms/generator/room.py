"""The room Generator."""

from nicegui import ui

from facegen.explore.opened import Opened
from facegen.explore.rooms.generator.asking import asking_panel
from facegen.explore.rooms.generator.denoising import DRAWN
from facegen.explore.rooms.generator.desk import Desk
from facegen.explore.rooms.generator.hinting import Canvas
from facegen.explore.rooms.generator.keeping import keeping_panel
from facegen.explore.rooms.generator.panels import classes_panel, seeds_panel, truncation_panel
from facegen.explore.rooms.generator.turning import Turning


def room(opened: Opened) -> None:
    """Build the room for one visitor."""
    names = list(opened.generators())
    if not names:
        ui.label("No generator is open: facegen explore runs/NAME, an export, or a file of weights")
        return
    with ui.row().classes("w-full no-wrap items-start q-gutter-md"):
        with ui.column().style("width: 440px; gap: 8px"):
            chosen = ui.select(names, label="Generator", with_input=len(names) > 12).classes("w-full")
            chosen.props('dense outlined data-testid="generator"').mark("generator")
            panels = ui.column().classes("w-full").style("gap: 8px")
        with ui.column().style("gap: 6px"):
            desk = Desk(opened)
            below = ui.column().classes("w-full")

    async def choose() -> None:
        panels.clear()
        below.clear()
        if chosen.value is None or not await desk.choose(chosen.value):
            return
        _build(desk, panels, below)
        await desk.show()

    chosen.on_value_change(choose)
    ui.timer(0.1, lambda: chosen.set_value(names[0]), once=True)


def _build(desk: Desk, panels: ui.column, below: ui.column) -> None:
    """The controls that the generator has a use for."""
    source = desk.source
    with panels:
        seeds_panel(desk)
        if source.layers:
            truncation_panel(desk)
        if source.kind == "diffusion":
            asking_panel(desk)
        if source.classes:
            classes_panel(desk)
        if source.has_camera or any(name in DRAWN for name in source.controls):
            Turning(desk)
        for control in source.controls:
            Canvas(desk, control)
    with below:
        keeping_panel(desk)
