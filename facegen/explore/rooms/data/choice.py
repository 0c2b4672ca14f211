"""Which faces a visitor has chosen, and in which order they are shown."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from facegen.explore.rooms.data.faces import Faces
from facegen.explore.widgets.axes import Range

Rows = Int[np.ndarray, " row"]
RANK = "search rank"  # an order beside those of columns


class Choice(NamedTuple):
    """What was asked for.

    `ranges`: from lowest to highest value of columns; a face without a value is not among them. `found`: rows that a
    search found, best first, None where none was made. `alone`: of near-duplicates only the one to keep.
    `order`: the column by which faces are sorted, largest first where `descending`; None: as the recipe has them.
    """

    ranges: Mapping[str, Range]
    found: Rows | None = None
    alone: bool = False
    order: str | None = None
    descending: bool = True


def chosen(faces: Faces, choice: Choice) -> Rows:
    """The rows that were asked for, in their order. Raises ValueError for a column that is not there."""
    rows = np.flatnonzero(_fitting(faces, choice))
    if choice.order == RANK and choice.found is not None:
        ranked = np.zeros(len(faces), dtype=bool)
        ranked[rows] = True
        return choice.found[ranked[choice.found]]
    if choice.order in (None, RANK):
        return rows
    values = faces.numbers(choice.order)[rows]
    order = np.argsort(-values if choice.descending else values, kind="stable")  # NaN comes last either way
    return rows[order]


def mask_of(rows: Rows, count: int) -> Bool[np.ndarray, " face"]:
    """Rows as one truth value for each of `count` faces."""
    mask = np.zeros(count, dtype=bool)
    mask[rows] = True
    return mask


def said(name: str, bounds: Range) -> str:
    """A range as people read it."""
    low, high = bounds
    if low == high:
        return f"{name} = {low:.6g}"
    ends = [f"{low:.4g} ≤ "] * math.isfinite(low) + [name] + [f" ≤ {high:.4g}"] * math.isfinite(high)
    return "".join(ends) if len(ends) > 1 else f"{name} is known"


def _fitting(faces: Faces, choice: Choice) -> Bool[np.ndarray, " face"]:
    fitting = np.ones(len(faces), dtype=bool)
    for name, (low, high) in choice.ranges.items():
        values = faces.numbers(name)
        fitting &= (values >= low) & (values <= high)
    if choice.found is not None:
        fitting &= mask_of(choice.found, len(faces))
    if choice.alone:
        fitting &= ~faces.known("duplicate_of")
    return fitting
