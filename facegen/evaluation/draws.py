"""Random numbers of an evaluation: each a function of the seed and of its place in the stream."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK = 256  # camera draws per key


def word(text: str) -> int:
    """64 bits that stand for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def places(seed: int, owner: str, first: int, count: int, size: int) -> NDArray[np.int64]:
    """`count` numbers in [0, size) with replacement, from place `first` on of the stream that belongs to `owner`.

    Raw words of Philox under the key (seed, owner): any part of the stream can be had without the part before it, and
    every version of NumPy gives the same.
    """
    key = np.array([seed, word(owner)], dtype=np.uint64)
    blocks = range(first // _BLOCK, -(-(first + count) // _BLOCK))
    words = [
        np.random.Philox(key=key, counter=np.uint64(block) << np.uint64(32)).random_raw(_BLOCK) for block in blocks
    ]
    start = first - blocks.start * _BLOCK
    return (np.concatenate(words)[start : start + count] % np.uint64(size)).astype(np.int64)


class Noise:
    """Uniform and normal numbers on a device, as a function of the seed, a place and a purpose."""

    def __init__(self, seed: int, place: int, purpose: str, device: torch.device) -> None:
        mixed = word(f"{seed}/{place}/{purpose}") % 2**63
        self._generator = torch.Generator(device).manual_seed(mixed)

    def rand(self, shape: list[int] | tuple[int, ...], device: torch.device | None = None) -> Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(shape, generator=self._generator, device=self._generator.device)

    def randn(self, shape: list[int] | tuple[int, ...], device: torch.device | None = None) -> Tensor:
        """Standard normal."""
        return torch.randn(shape, generator=self._generator, device=self._generator.device)

    def indices(self, high: int, count: int) -> Tensor:
        """`count` whole numbers in [0, high)."""
        return torch.randint(high, (count,), generator=self._generator, device=self._generator.device)


class Grain:
    """Normal numbers from a stream of each seed: what eta adds to a picture does not depend on its batch."""

    def __init__(self, seeds: list[int], device: torch.device) -> None:
        self.streams, self.device = [torch.Generator().manual_seed(seed) for seed in seeds], device

    def __call__(self, shape: list[int]) -> Tensor:
        """Numbers of a shape whose first axis is that of the seeds."""
        drawn = [torch.randn(list(shape)[1:], generator=stream) for stream in self.streams]
        return torch.stack(drawn).to(self.device)
