"""The room Data."""

from nicegui import ui

from facegen.explore.opened import Opened


def room(opened: Opened) -> None:
    """Build the room for one visitor."""
    ui.label(", ".join(opened.recipes) or "No faces are open: facegen explore FOLDER")
