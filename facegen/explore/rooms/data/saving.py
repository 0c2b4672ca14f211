"""Saving what is chosen as a recipe to train on."""

import asyncio
import re
from pathlib import Path

from nicegui import ui

from facegen.curation.searching.recipes import write_recipe
from facegen.explore.rooms.data.view import View

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def recipe_path(folder: Path, name: str) -> Path:
    """Where a recipe is written. Raises ValueError for a name that is none, or taken."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"name: got {name[:80]!r}, expected 1 to 64 small letters, digits, - and _ such as profiles")
    path = folder / "data" / f"{name}.yaml"
    if path.exists():
        raise ValueError(f"{path} exists already; choose another name")
    return path


class SaveDialog:
    """Asks for a name, writes the recipe, and shows the command that trains on it."""

    def __init__(self, view: View, folder: Path) -> None:
        self.view, self._folder = view, folder
        with ui.dialog() as self._dialog, ui.card().style("width: 640px; max-width: 96vw").classes("gap-2"):
            self._said = ui.label().classes("text-subtitle1")
            self._name = ui.input("name of the recipe", placeholder="profiles").classes("w-full")
            self._name.props('dense outlined data-testid="recipe-name"').on("keydown.enter", self._write)
            self._answer = ui.label().classes("text-caption").style("overflow-wrap: anywhere")
            self._command = ui.code("", language="bash").classes("w-full").props('data-testid="recipe-command"')
            with ui.row().classes("w-full justify-end gap-2"):
                ui.button("Close", on_click=self._dialog.close).props("flat dense")
                ui.button("Write", on_click=self._write).props('dense unelevated data-testid="recipe-write"')

    def open(self) -> None:
        """Ask."""
        self._said.set_text(f"Save {len(self.view.rows):,} faces as a recipe")
        self._answer.set_text(f"It becomes {self._folder / 'data'}/NAME.yaml")
        self._command.set_visibility(False)
        self._dialog.open()

    async def _write(self) -> None:
        try:
            path = recipe_path(self._folder, (self._name.value or "").strip())
            command = await asyncio.to_thread(write_recipe, self.view.faces.recipe, self.view.rows, path)
        except (ValueError, OSError) as error:
            return ui.notify(str(error), type="negative", multi_line=True)
        self._answer.set_text(f"Written: {path}. Train on it:")
        self._command.set_content(command)
        self._command.set_visibility(True)
