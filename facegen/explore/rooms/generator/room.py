"""The room Generator."""

from nicegui import ui

from facegen.explore.opened import Opened


def room(opened: Opened) -> None:
    """Build the room for one visitor."""
    ui.label(", ".join(opened.generators()) or "No generator is open: facegen explore runs/NAME")
