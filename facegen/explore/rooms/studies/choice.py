"""What one visitor compares."""

from pathlib import Path

from facegen.explore.opened import Opened


class Choice:
    """Runs by name, and perhaps a study; folders are looked up when they are needed."""

    def __init__(self, opened: Opened) -> None:
        self._opened, self.names, self.study_name = opened, list[str](), ""

    @property
    def runs(self) -> dict[str, Path]:
        """Folders of the chosen runs that are still there."""
        every = self._opened.runs()
        return {name: every[name] for name in self.names if name in every}

    @property
    def study(self) -> Path | None:
        """The folder of the chosen study."""
        return self._opened.studies().get(self.study_name)
