"""What can be asked of faces, and the answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

MOST_TEXT = 1000  # characters; models of texts read far fewer words


@dataclass(frozen=True)
class Query:
    """What is looked for; nothing is answered with the first faces.

    where: a condition in SQL on the columns of the tables, with CelebA's attributes and flags by name. text, image (RGB
    pixels, aligned as the faces are), face (id of a face of the recipe): what the faces shall be like; of several,
    their mean direction. rank: a column of numbers, largest first; with `-` before it smallest first. Together with a
    text or an example it puts the `count` most similar in order. count: how many faces at most.
    """

    where: str | None = None
    text: str | None = None
    image: UInt8[np.ndarray, "height width 3"] | None = None
    face: str | None = None
    rank: str | None = None
    count: int = 50

    @property
    def is_by_likeness(self) -> bool:
        """Whether faces are compared with a text or an example."""
        return not (self.text is None and self.image is None and self.face is None)

    def check(self) -> None:
        """Raise ValueError for what cannot be asked of any faces."""
        if type(self.count) is not int or self.count < 1:
            raise ValueError(f"count: got {self.count!r}, expected a whole number from 1 on")
        for name in ("where", "text", "face", "rank"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise ValueError(f"{name}: got {value!r}, expected words, or null")
        if self.text is not None and len(self.text) > MOST_TEXT:
            raise ValueError(f"text: got {len(self.text)} characters, expected at most {MOST_TEXT}")


class Space(NamedTuple):
    """Where likeness is measured.

    column: vectors of the tables. weights: file or folder of the model that made them, where it is not found without.
    clip: folder of a CLIP, for texts: its text tower and the words it knows.
    """

    column: str = "embedding"
    weights: Path | None = None
    clip: Path | None = None


class Found(NamedTuple):
    """Faces, best first.

    ids and rows: those of the recipe. scores: what they are ordered by, largest first: cosines, or the values of the
    column (times -1 where the smallest come first); NaN where nothing orders them. why: in words, a text for each.
    matching: how many faces fulfil the condition; `ids` are the best of them.
    """

    ids: list[str]
    rows: Int[np.ndarray, " face"]
    scores: Float[np.ndarray, " face"]
    why: list[str]
    matching: int
