"""What the plots of `facegen data stats` are of: panels, each a recipe or a source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegen.data.parts import Part


@dataclass(frozen=True)
class Panel:
    """A recipe or source, and its statistics."""

    part: Part
    numbers: dict[str, Any]

    @property
    def title(self) -> str:
        """What stands above the plots."""
        return self.part.title

    @cached_property
    def density(self) -> NDArray[np.float64] | None:
        """See `Part.density`."""
        return self.part.density()


# The PNG of one panel, on the axes and colours that fit all panels; None where it has nothing to show.
Plot = Callable[[Panel, Sequence[Panel]], bytes | None]
