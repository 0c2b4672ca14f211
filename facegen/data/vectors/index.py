"""An index of vectors: sorted by cells, so that a search reads a few percent of them. Which vectors are compared is an
approximation; the cosines of those that are found are not.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from tqdm import tqdm

from facegen.data.search import NEAR_DUPLICATE_COSINE, Matches, Pairs, check_width, directions
from facegen.data.vectors.cells import FEWEST, Cells, nearest_cells

PROBES = 32  # cells that a search reads
PAIR_PROBES = 8  # cells in which duplicates of a vector are looked for, its own among them


@dataclass(frozen=True)
class Index:
    """Vectors sorted by their cells: those of cell c lie at `starts[c] : starts[c + 1]`.

    `matrix` are unit vectors in float32 (in memory, or of a mapped file), `rows` the rows of the table they belong to,
    `nearest` the nearest cells of each, its own first, `centres` those of the cells.
    """

    matrix: Float[np.ndarray, "vector dim"]
    rows: Int[np.ndarray, " vector"]
    nearest: Int[np.ndarray, "vector kept"]
    centres: Float[np.ndarray, "cell dim"]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def starts(self) -> Int[np.ndarray, " boundary"]:
        """Where the cells begin and the last one ends."""
        return np.searchsorted(self.nearest[:, 0], np.arange(len(self.centres) + 1))

    def search(
        self,
        queries: Float[np.ndarray, "query dim"],
        count: int,
        among: Int[np.ndarray, " row"] | None = None,
        probes: int = PROBES,
    ) -> Matches:
        """For each query the `count` rows of the table with the largest cosines, best first, and these cosines.

        among: rows of the table that are searched, all where it is None; exact for up to `cells.FEWEST` of them, and
        where `probes` is no less than the number of cells. Fewer are found where fewer have a vector. Raises ValueError
        for queries of another length or without a direction.
        """
        check_width(self.matrix, queries)
        allowed = None if among is None else np.isin(self.rows, among)
        if allowed is None or allowed.all():
            allowed, held = None, np.diff(self.starts)
        else:
            held = np.diff(np.append(0, np.cumsum(allowed))[self.starts])
        total = int(held.sum())  # over the cells
        count, probes = min(count, total), len(held) if total <= FEWEST else probes
        rows, cosines = np.zeros((len(queries), count), np.int64), np.zeros((len(queries), count), np.float32)
        units = directions(np.asarray(queries, np.float32))
        for query, cells in enumerate(nearest_cells(units, self.centres, len(held)) if count else ()):
            cells = cells[held[cells] > 0]
            enough = int(np.searchsorted(np.cumsum(held[cells]), count)) + 1
            places, found = self._compared(units[query], np.sort(cells[: max(probes, enough)]), allowed)
            best = np.lexsort((self.rows[places], -found))[:count]  # equal ones come in the order of the table
            rows[query], cosines[query] = self.rows[places[best]], found[best]
        return Matches(rows, cosines)

    def _compared(
        self,
        unit: Float[np.ndarray, " dim"],
        cells: Int[np.ndarray, " cell"],
        allowed: Bool[np.ndarray, " vector"] | None,
    ) -> tuple[Int[np.ndarray, " place"], Float[np.ndarray, " place"]]:
        """Where the allowed vectors of some cells lie, and their cosines; without a choice nothing is copied."""
        spans = [slice(start, end) for start, end in zip(self.starts[cells], self.starts[cells + 1], strict=True)]
        if allowed is None:
            every = np.concatenate([np.arange(span.start, span.stop) for span in spans])
            return every, np.concatenate([self.matrix[span] @ unit for span in spans])
        places = np.concatenate([span.start + np.flatnonzero(allowed[span]) for span in spans])
        return places, self.matrix[places] @ unit

    def pairs(self, threshold: float = NEAR_DUPLICATE_COSINE, probes: int = PAIR_PROBES) -> Pairs:
        """Pairs of the table's rows whose cosine is above `threshold`, first < second, in their order.

        Two vectors are compared where one's cell is among the `probes` nearest of the other.
        """
        probed, starts = self.nearest[:, :probes], self.starts
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
        visitor_of = np.argsort(probed.ravel(), kind="stable") // probed.shape[1]  # vectors, by the cells they probe
        ends = np.cumsum(np.bincount(probed.ravel(), minlength=len(self.centres)))
        for cell in tqdm(range(len(self.centres)), "comparing", unit="cell", delay=2, leave=False):
            visitors = visitor_of[ends[cell - 1] if cell else 0 : ends[cell]]
            found.append(self._pairs_of(np.arange(starts[cell], starts[cell + 1]), np.sort(visitors), threshold))
        first, second, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        _, once = np.unique(np.stack([first, second]), axis=1, return_index=True)
        return Pairs(first[once], second[once], cosines[once])

    def _pairs_of(
        self, members: Int[np.ndarray, " member"], visitors: Int[np.ndarray, " visitor"], threshold: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cosines = self.matrix[visitors] @ self.matrix[members].T
        row, column = np.nonzero(cosines > threshold)
        one, other, similarity = self.rows[visitors[row]], self.rows[members[column]], cosines[row, column]
        apart = one != other
        first, second = np.minimum(one, other), np.maximum(one, other)
        return first[apart], second[apart], similarity[apart]


def sorted_by_cell(cells: Cells) -> Int[np.ndarray, " vector"]:
    """The vectors in the order of their cells, those of a cell in the order they had."""
    return np.argsort(cells.nearest[:, 0], kind="stable")
