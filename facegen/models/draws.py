"""Random numbers as a function of (seed, images seen): resuming needs no random state, processes agree."""

from collections.abc import Sequence

import torch
from torch import Tensor

_MIX = 0x9E3779B97F4A7C15  # odd, golden ratio of 2^64: spreads neighbouring clocks over the seed space


class Draws:
    """The random numbers of one training step.

    Numbers are drawn for the batch of all processes, of which process `rank` keeps every `world_size`-th sample
    from `rank` on. That is how the data module deals images out, so any number of processes sees the same step.
    """

    def __init__(
        self, seed: int, images_seen: int, device: torch.device | str = "cpu", rank: int = 0, world_size: int = 1
    ) -> None:
        self.device, self.rank, self.world_size = torch.device(device), rank, world_size
        mixed = (seed * _MIX + (images_seen + 1) * 0xD1B54A32D192ED03) % 2**63
        self._generator = torch.Generator(self.device).manual_seed(mixed)
        self._shared = torch.Generator().manual_seed(mixed)

    def _deal(self, numbers: Tensor) -> Tensor:
        return numbers[self.rank :: self.world_size] if self.world_size > 1 else numbers

    def randn(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Standard normal numbers; the first axis of `shape` is the batch of this process."""
        whole = [shape[0] * self.world_size, *shape[1:]]
        return self._deal(torch.randn(whole, generator=self._generator, device=self.device))

    def rand(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Uniform numbers in [0, 1); the first axis of `shape` is the batch of this process."""
        whole = [shape[0] * self.world_size, *shape[1:]]
        return self._deal(torch.rand(whole, generator=self._generator, device=self.device))

    def indices(self, high: int, count: int) -> Tensor:
        """`count` integers in [0, high) for the batch of this process."""
        whole = [count * self.world_size]
        return self._deal(torch.randint(high, whole, generator=self._generator, device=self.device))

    def neighbours(self, high: int, count: int) -> tuple[Tensor, Tensor]:
        """Like `indices`, with those of the samples one place earlier in the batch of all processes."""
        whole = torch.randint(high, [count * self.world_size], generator=self._generator, device=self.device)
        return self._deal(whole), self._deal(whole.roll(1))

    def cutoff(self, low: int, high: int) -> int:
        """One integer in [low, high), the same in all processes."""
        return int(torch.randint(low, high, [], generator=self._shared))

    def chance(self) -> float:
        """One uniform number, the same in all processes."""
        return float(torch.rand([], generator=self._shared))
