"""Means of training figures between two tick lines."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor

from facegen.models.distributed import world


class RunningMeans:
    """Sums and counts by name, float64 on the device that they come from: adding one never waits for a GPU."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, values: Tensor) -> None:
        """Count every element of `values`."""
        total = values.detach().double().sum()
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._counts[name] = self._counts.get(name, 0) + values.numel()

    def means(self) -> dict[str, float]:
        """Mean per name over all processes. Every process must ask, with the same names."""
        names = sorted(self._sums)
        if not names:
            return {}
        sums = torch.stack([self._sums[name] for name in names])
        counts = torch.tensor([self._counts[name] for name in names], dtype=sums.dtype, device=sums.device)
        if world()[1] > 1:
            dist.all_reduce(sums)
            dist.all_reduce(counts)
        return dict(zip(names, (sums / counts).tolist(), strict=True))

    def clear(self) -> None:
        """Start a new interval."""
        self._sums.clear()
        self._counts.clear()

    def state(self) -> dict[str, list[float]]:
        """Plain values for a checkpoint."""
        return {name: [float(total), self._counts[name]] for name, total in self._sums.items()}

    def restore(self, state: Mapping[str, list[float]], device: torch.device | str = "cpu") -> None:
        """Continue from `state()`."""
        self._sums = {k: torch.tensor(v[0], dtype=torch.float64, device=device) for k, v in state.items()}
        self._counts = {k: int(v[1]) for k, v in state.items()}
