"""Arrays of a file that others made, checked as they are taken; and what a reader of model files returns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegen.morphable.model import Basis

MAX_BYTES = 2**31  # of arrays together: four times the raw Basel Face Model
_DAMAGED = "the file is damaged or not this model"


class ModelFile(NamedTuple):
    """A morphable model as read: its numbers, what it is called, and its licence in words."""

    basis: Basis
    name: str
    terms: str


class Arrays(NamedTuple):
    """The arrays of one file by name. Every method raises ValueError, in one line, for what is not as expected."""

    path: Path
    content: Mapping[str, Any]
    dtype: torch.dtype = torch.float32  # in which numbers are given

    def floats(self, name: str, size: tuple[int, ...]) -> Tensor:
        """Finite numbers of a shape, in which -1 stands for any extent. A vector may be stored as a row or column."""
        with np.errstate(over="ignore"):
            found = self._shaped(name, size).astype(str(self.dtype).removeprefix("torch."))
        if not np.isfinite(found).all():
            raise ValueError(f"{self.path}: {name} has numbers that are not finite; {_DAMAGED}")
        return torch.from_numpy(found)

    def points(self, name: str) -> Tensor:
        """(V, 3) points that are stored as 3V numbers."""
        flat = self.floats(name, (-1,))
        if len(flat) == 0 or len(flat) % 3:
            raise ValueError(f"{self.path}: {name} has {len(flat)} numbers, expected three for each vertex; {_DAMAGED}")
        return flat.reshape(-1, 3)

    def modes(self, name: str, num_vertices: int) -> Tensor:
        """(K, V, 3) modes that are stored as (3V, K) columns, x, y and z of a vertex below each other."""
        columns = self.floats(name, (3 * num_vertices, -1))
        return columns.T.reshape(-1, num_vertices, 3).contiguous()

    def indices(self, name: str, size: tuple[int, ...], count: int, first: int = 1) -> Tensor:
        """Whole numbers from 0 to `count` - 1, which the file counts from `first`."""
        values = self._shaped(name, size).astype(np.float64) - first
        if values.size and (not np.array_equal(values, np.rint(values)) or values.min() < 0 or values.max() >= count):
            got = f"{values.min() + first:g} to {values.max() + first:g}"
            expected = f"whole numbers from {first} to {count - 1 + first}"
            raise ValueError(f"{self.path}: {name} has numbers from {got}, expected {expected}; {_DAMAGED}")
        return torch.from_numpy(values.astype(np.int64))

    def names(self, name: str) -> tuple[str, ...]:
        """A list of words."""
        found = np.asarray(self._present(name))
        if found.ndim != 1 or found.dtype.kind != "U":
            raise ValueError(f"{self.path}: {name} is no list of words; {_DAMAGED}")
        return tuple(found.tolist())

    def _present(self, name: str) -> Any:
        if name not in self.content:
            known = ", ".join(sorted(map(str, self.content))[:12]) or "nothing"
            raise ValueError(f"{self.path}: has no {name!r} (it has {known}); {_DAMAGED}")
        return self.content[name]

    def _shaped(self, name: str, size: tuple[int, ...]) -> NDArray[Any]:
        found = np.asarray(self._present(name))
        if found.dtype.kind not in "fiub":
            raise ValueError(f"{self.path}: {name} holds no numbers but {found.dtype}; {_DAMAGED}")
        if not _fits(found.shape, size):
            expected = str(size).replace("-1", "any")
            raise ValueError(f"{self.path}: {name} has shape {found.shape}, expected {expected}; {_DAMAGED}")
        return found.reshape(-1) if len(size) == 1 else found


def _fits(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether an array has the extents, axes of length 1 aside: MATLAB's vectors have two axes."""
    if len(size) == 1:
        extents = [extent for extent in shape if extent != 1]
        return len(extents) <= 1 and (size[0] == -1 or int(np.prod(shape)) == size[0])
    return len(shape) == len(size) and all(want in (-1, extent) for extent, want in zip(shape, size, strict=True))
