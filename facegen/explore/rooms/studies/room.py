"""The room Studies."""

from nicegui import ui

from facegen.explore.opened import Opened


def room(opened: Opened) -> None:
    """Build the room for one visitor."""
    ui.label(", ".join([*opened.runs(), *opened.studies()]) or "No run is open: facegen explore runs")
