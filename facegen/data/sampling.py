"""Which face comes at which place of the endless training stream: a pure function of the seed."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DistributedSampler

Indices = NDArray[np.int64]


@lru_cache(maxsize=4)
def epoch_order(seed: int, num_items: int, epoch: int) -> Indices:
    """A random order of `num_items` items: the ranks of Philox words under the key (seed, epoch).

    Sorting raw words, unlike `Generator.permutation`, gives the same order with every version of numpy.
    """
    words = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(num_items)
    order = np.argsort(words, kind="stable").astype(np.int64)
    order.setflags(write=False)
    return order


def positions_to_rows(
    seed: int, num_items: int, positions: ArrayLike, cumulative: NDArray[np.float64] | None = None
) -> Indices:
    """Items at the given places of the stream; every run of `num_items` places from 0 on holds each item once.

    cumulative: running sums of the items' weights. Such a run then holds item i as often as `num_items` times its
    share of the weights says, rounded up or down so that the mean over runs is exact: systematic resampling.

    Raises ValueError for an empty recipe, a negative seed or a negative position.
    """
    places = np.asarray(positions, dtype=np.int64)
    if num_items < 1:
        raise ValueError(f"cannot sample from {num_items} images; expected at least 1")
    if seed < 0 or (places.size and places.min() < 0):
        raise ValueError(f"seed and positions must not be negative, got seed {seed}, first position {places.min()}")
    epochs, within = np.divmod(places, num_items)
    rows = np.empty_like(places)
    for epoch in np.unique(epochs):
        chosen = epochs == epoch
        rows[chosen] = epoch_order(seed, num_items, int(epoch))[within[chosen]]
        if cumulative is not None:
            rows[chosen] = resampled(cumulative, rows[chosen], _offset(seed, int(epoch)))
    return rows


def resampled(cumulative: NDArray[np.float64], slots: Indices, offset: float) -> Indices:
    """Items that fall into some of as many equal slots as there are items, each item as wide as its weight."""
    ends = (slots + offset) / len(cumulative) * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, ends, side="right"), len(cumulative) - 1).astype(np.int64)


@lru_cache(maxsize=4)
def _offset(seed: int, epoch: int) -> float:
    """Uniform in [0, 1): a word of another key than that of the order."""
    word = np.random.Philox(key=np.array([seed, 2**63 + epoch], dtype=np.uint64)).random_raw()
    return (int(word) >> 11) * 2.0**-53


class GlobalBatches(DistributedSampler):
    """Yields this process's items of each global batch, for ever.

    Rank r of W takes places start+r, start+r+W, ... of a global batch, so that the groups of the minibatch standard
    deviation hold the same images however many processes there are. It is a `DistributedSampler` by type only:
    that is how Lightning knows not to split the data a second time.
    """

    def __init__(
        self,
        num_items: int,
        batch_size: int,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        if batch_size < 1 or batch_size % world:
            raise ValueError(f"batch_size {batch_size} must be a positive multiple of the {world} process(es)")
        self.num_items, self.batch_size, self.seed, self.epoch = num_items, batch_size, seed, 0
        self.start, self.rank, self.num_replicas = start, rank, world
        self.cumulative = None if weights is None else np.cumsum(weights)

    def __iter__(self) -> Iterator[list[int]]:
        position = self.start
        while True:
            places = np.arange(position + self.rank, position + self.batch_size, self.num_replicas)
            yield positions_to_rows(self.seed, self.num_items, places, self.cumulative).tolist()
            position += self.batch_size

    def __len__(self) -> int:
        raise TypeError("the training stream has no end")
