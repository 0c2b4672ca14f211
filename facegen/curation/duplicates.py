"""Groups of faces that show nearly the same picture, and which of each group to keep."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from facegen.curation.columns import Making, Whole
from facegen.data import table
from facegen.data.vectors import NEAR_DUPLICATE_COSINE, Pairs, open_index

QUALITY = "quality"
GROUP, ORIGINAL, COSINE = "duplicate_group", "duplicate_of", "duplicate_cosine"


class Kept(NamedTuple):
    """For each row the one to keep in its place (itself where it is kept), and their cosine, NaN where it is kept."""

    original: Int[np.ndarray, " row"]
    cosine: Float[np.ndarray, " row"]


def duplicates_whole(threshold: float = NEAR_DUPLICATE_COSINE, column: str = "embedding") -> Whole:
    """The columns `duplicate_group` (a number, null where a face is alone), `duplicate_of` (the id to keep instead) and
    `duplicate_cosine` (with that one), from the vectors of `column` and, where there is one, the column `quality`.

    Raises ValueError for a threshold that is no cosine.
    """
    if isinstance(threshold, bool) or not -1 < threshold < 1:
        raise ValueError(f"threshold: got {threshold!r}, expected a cosine below 1, such as {NEAR_DUPLICATE_COSINE}")

    def columns(rows: pa.Table, making: Making) -> pa.Table:
        pairs = open_index(making.table, column).pairs(threshold)
        kept = keep_best(pairs, _ranks(making.table, len(rows)))
        return _as_columns(rows["id"].combine_chunks(), kept)

    return Whole("duplicates", (), columns)


def keep_best(pairs: Pairs, ranks: Int[np.ndarray, " row"]) -> Kept:
    """Go through the rows from the best (lowest rank); one that is near a kept row is its duplicate, others are kept.

    A row near several kept ones belongs to the nearest. So every duplicate is above the threshold with the very face
    that stands for it, which chains of pairs (connected components) would not promise.
    """
    better = ranks[pairs.first] < ranks[pairs.second]
    worse_rows = np.where(better, pairs.second, pairs.first)
    better_rows = np.where(better, pairs.first, pairs.second)
    original = np.arange(len(ranks))
    cosine = np.full(len(ranks), np.nan, np.float32)
    for place in np.lexsort((-pairs.similarity, ranks[worse_rows])):  # by row from the best, its nearest pair first
        row, other = worse_rows[place], better_rows[place]
        if original[row] == row and original[other] == other:
            original[row], cosine[row] = other, pairs.similarity[place]
    return Kept(original, cosine)


def _ranks(place: Path, count: int) -> Int[np.ndarray, " row"]:
    """0 for the best face: by quality where it is known, then in the order of the table."""
    quality = np.zeros(count)
    if QUALITY in table.schema(place).names:
        values = table.read(place, [QUALITY])[QUALITY].to_numpy().astype(np.float64)
        quality = np.nan_to_num(values, nan=-np.inf)
    return np.argsort(np.argsort(-quality, kind="stable"))


def _as_columns(ids: pa.StringArray, kept: Kept) -> pa.Table:
    is_copy = ~np.isnan(kept.cosine)
    originals = np.unique(kept.original[is_copy])
    grouped = np.isin(kept.original, originals)
    return pa.table(
        {
            "id": ids,
            GROUP: pa.array(np.searchsorted(originals, kept.original), pa.int32(), mask=~grouped),
            ORIGINAL: ids.take(pa.array(kept.original, mask=~is_copy)),
            COSINE: pa.array(kept.cosine, pa.float32(), mask=~is_copy),
        }
    )
