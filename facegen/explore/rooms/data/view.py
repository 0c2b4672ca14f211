"""What one visitor looks at: a dataset, what is chosen of it, and the page of the gallery."""

from collections.abc import Awaitable, Callable

import numpy as np

from facegen.explore.rooms.data.choice import RANK, Choice, Rows, said
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.widgets.axes import Numbers, Range

PER_PAGE = 60


class View:
    """`number`: the dataset's place among those that are open. `changed` is called when other faces are chosen."""

    def __init__(self, number: int, faces: Faces, changed: Callable[[], Awaitable[None]]) -> None:
        self.number, self.faces, self._changed = number, faces, changed
        self.ranges: dict[str, Range] = {}
        self.found: Rows | None = None
        self.found_by, self.scores = "", np.zeros(0)
        self.alone, self.descending = False, True
        self.order: str | None = None
        self.rows: Rows = np.arange(len(faces))
        self.page = 0
        self.rater, self.is_rating = "", False

    @property
    def choice(self) -> Choice:
        """All that is asked for."""
        return Choice(dict(self.ranges), self.found, self.alone, self.order, self.descending)

    @property
    def num_pages(self) -> int:
        """How many pages the gallery has, at least one."""
        return max(-(-len(self.rows) // PER_PAGE), 1)

    @property
    def shown(self) -> Rows:
        """The rows of the gallery's page."""
        return self.rows[self.page * PER_PAGE : (self.page + 1) * PER_PAGE]

    def wishes(self) -> list[tuple[str, Callable[[], None]]]:
        """What narrows the choice, in words, each with what takes it back."""
        found: list[tuple[str, Callable[[], None]]] = [
            (said(name, bounds), lambda name=name: self._without(name)) for name, bounds in self.ranges.items()
        ]
        if self.found is not None:
            found.append((self.found_by, self.forget))
        return found

    def captions(self) -> list[str]:
        """What is written below each face of the page: the value by which faces are sorted."""
        if self.order == RANK and len(self.scores) == len(self.faces):
            return [f"{score:.3f}" for score in self.scores[self.shown]]
        if self.order in (None, RANK):
            return [""] * len(self.shown)
        return [f"{value:.4g}" if np.isfinite(value) else "–" for value in self.faces.numbers(self.order)[self.shown]]

    def find(self, rows: Rows, by: str, scores: Numbers | None = None, is_ranked: bool = True) -> None:
        """Keep what a search found, best first if `is_ranked`; `scores` are those of all faces, NaN where not found."""
        self.forget()
        self.found, self.found_by = np.asarray(rows, dtype=np.int64), by
        self.scores = np.zeros(0) if scores is None else scores
        if is_ranked:
            self.order, self.descending = RANK, True

    def forget(self) -> None:
        """Let go of what a search found."""
        self.found, self.scores = None, np.zeros(0)
        self.order = None if self.order == RANK else self.order

    async def change(self) -> None:
        """Say that something above was changed: choose again, from the first page on."""
        self.page = 0
        await self._changed()

    def _without(self, name: str) -> None:
        self.ranges.pop(name, None)
