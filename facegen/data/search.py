"""Exact search among feature vectors by cosine: the best for a text, and pairs that are nearly the same picture.

SFHQ ships CLIP features for both uses; https://github.com/SelfishGene/SFHQ-dataset describes them. Up to half a million
vectors a matrix product is faster than building an index, and misses nothing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

NEAR_DUPLICATE_COSINE = 0.92  # above it SFHQ's authors removed one of two pictures (CLIP ViT-L/14 at 336 pixels)
CHUNK = 16384  # rows of a product with a few texts
BLOCK = 2048  # rows and columns of a product of features with features: 16 MB of similarities


class Matches(NamedTuple):
    """For each query the rows of the best features, best first, and their cosines."""

    rows: Int[np.ndarray, "query best"]
    similarity: Float[np.ndarray, "query best"]


class Pairs(NamedTuple):
    """Pairs of rows, first < second, in their order, and their cosines."""

    first: Int[np.ndarray, " pair"]
    second: Int[np.ndarray, " pair"]
    similarity: Float[np.ndarray, " pair"]


def num_candidates(num_queries: int) -> int:
    """How many of the best SFHQ's script considers for each of several texts searched together."""
    return 3 * (2 * num_queries + 1)


def similarity(
    features: Float[np.ndarray, "row dim"], queries: Float[np.ndarray, "query dim"]
) -> Float[np.ndarray, "row query"]:
    """Cosines of all features with all queries. Raises ValueError for a row without a direction."""
    check_width(features, queries)
    towards = directions(queries)
    chunks = [directions(features[i : i + CHUNK], i) @ towards.T for i in range(0, len(features), CHUNK)]
    return np.concatenate(chunks) if chunks else np.zeros((0, len(queries)), dtype=towards.dtype)


def search(features: Float[np.ndarray, "row dim"], queries: Float[np.ndarray, "query dim"], count: int) -> Matches:
    """The `count` features (fewer if there are fewer) of the largest cosine with each query, equal ones by row.

    Works in the precision of its arguments. Raises ValueError for a row without a direction.
    """
    cosines = similarity(features, queries).T
    if count < 1:
        raise ValueError(f"search: got count={count}, expected at least 1")
    count = min(count, len(features))
    if count < len(features):
        best = np.sort(np.argpartition(-cosines, count - 1, axis=1)[:, :count], axis=1)
    else:
        best = np.broadcast_to(np.arange(count), cosines.shape)
    order = np.argsort(-np.take_along_axis(cosines, best, 1), axis=1, kind="stable")
    rows = np.take_along_axis(best, order, 1)
    return Matches(rows, np.take_along_axis(cosines, rows, 1))


def similar_pairs(
    features: Float[np.ndarray, "row dim"], threshold: float = NEAR_DUPLICATE_COSINE, block: int = BLOCK
) -> Pairs:
    """All pairs of rows whose cosine is above `threshold`, found block by block: never all rows times all rows.

    Works in the precision of `features`. Raises ValueError for a row without a direction.
    """
    starts = range(0, len(features), block)
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, features.dtype))]
    progress = tqdm(total=len(starts) * (len(starts) + 1) // 2, desc="comparing", unit="block", delay=1, leave=False)
    with progress:
        for top in starts:
            rows = directions(features[top : top + block], top)
            for left in starts[top // block :]:
                cosines = rows @ directions(features[left : left + block], left).T
                row, column = np.nonzero(cosines > threshold)
                later = row + top < column + left
                row, column = row[later], column[later]
                found.append((row + top, column + left, cosines[row, column]))
                progress.update()
    first, second, cosine = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((second, first))
    return Pairs(first[order], second[order], cosine[order])


def directions(vectors: Float[np.ndarray, "row dim"], start: int = 0) -> Float[np.ndarray, "row dim"]:
    """Rows scaled to length 1; `start` numbers the first one. Raises ValueError for one without a direction."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(bad := np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))):
        raise ValueError(
            f"features: row {start + bad[0]} is zero or not finite, so it has no direction; leave out rows without one"
        )
    return vectors / lengths


def check_width(features: np.ndarray, queries: np.ndarray) -> None:
    """Raises ValueError where queries have not as many numbers as features."""
    if features.ndim != 2 or queries.ndim != 2 or features.shape[1] != queries.shape[1]:
        raise ValueError(f"search: got features {features.shape} and queries {queries.shape}, expected rows alike")
