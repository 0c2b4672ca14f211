"""A stream of pictures as rows of features, made a shard at a time."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from facegen.evaluation.store import SHARD, Arrays
from facegen.metrics.extractors import Extractor

# Pictures that an extractor takes at a time. On a CPU larger buffers go back to the system, which zeroes them for
# every batch: that takes as long as the network.
AT_ONCE = {"cpu": 16, "cuda": 64}


class Stream(Protocol):
    """Rows that depend on their place and on what `about` says, on nothing else."""

    title: str
    rows: int
    batch_size: int

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        ...

    def about(self) -> dict[str, Any]:
        """Everything that the rows depend on, as plain values."""
        ...

    def to(self, device: torch.device) -> None:
        """Move the networks."""
        ...

    def make(self, first: int, count: int) -> Arrays:
        """Rows `first` to `first + count`."""
        ...


def make_shard(stream: Stream, number: int, report: Callable[[int], Any] = lambda count: None) -> Arrays:
    """The rows of a shard. Batches have their places, whatever the number of rows: so a longer stream begins alike."""
    start, rows = number * SHARD, min(SHARD, stream.rows - number * SHARD)
    made = []
    for offset in range(0, rows, stream.batch_size):
        made.append(stream.make(start + offset, min(stream.batch_size, SHARD - offset)))
        report(min(stream.batch_size, rows - offset))
    return {name: np.concatenate([batch[name] for batch in made])[:rows] for name in made[0]}


def extract(extractor: Extractor, images: torch.Tensor) -> np.ndarray:
    """Features (N, num_features) of uint8 pictures."""
    return torch.cat([extractor(part) for part in images.split(AT_ONCE.get(images.device.type, 64))]).cpu().numpy()
