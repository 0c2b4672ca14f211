"""What a diffusion model is asked for: labels, conditions and hints of N pictures, mostly those of real faces."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from facegen.data import Recipe
from facegen.data.batch import FaceBatch
from facegen.data.condition_values import columns_of, condition_values
from facegen.data.dataset import FaceDataset
from facegen.data.hint_faces import KNOWN
from facegen.data.hints import HINTS, hint, hint_columns
from facegen.evaluation.plan import Denoising
from facegen.geometry.cameras import LABEL_SIZE

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Asked(NamedTuple):
    """What N pictures are asked for beside their noise; what is left out is dropped, as in training.

    c: cameras or classes, None to drop them. conditions: by name, a tensor of N rows or a list of N texts. hints: by
    the name of a control, pictures in [0, 1].
    """

    c: Float[Tensor, "batch c_dim"] | None
    conditions: Mapping[str, Any] = _NOTHING
    hints: Mapping[str, Float[Tensor, "batch 3 side side"]] = _NOTHING

    def at(self, rows: Sequence[int]) -> "Asked":
        """Some of the pictures, by number."""
        c = None if self.c is None else self.c[list(rows)]
        conditions = {name: rows_of(values, rows) for name, values in self.conditions.items()}
        return Asked(c, conditions, {name: hint[list(rows)] for name, hint in self.hints.items()})

    def to(self, device: torch.device) -> "Asked":
        """With all tensors on a device."""
        c = None if self.c is None else self.c.to(device)
        moved = [
            {name: each.to(device) if isinstance(each, Tensor) else each for name, each in group.items()}
            for group in (self.conditions, self.hints)
        ]
        return Asked(c, *moved)


def rows_of(values: Any, rows: Sequence[int]) -> Any:
    """Rows of a tensor, or entries of a list."""
    return values[list(rows)] if isinstance(values, Tensor) else [values[row] for row in rows]


@torch.no_grad()
def denoised(
    generator: Any,
    z: Float[Tensor, "batch z_dim"],
    asked: Asked,
    denoising: Denoising = Denoising(),  # noqa: B008  # immutable
    randn: Callable[..., Tensor] | None = None,
    **more: Any,
) -> Float[Tensor, "batch 3 side side"]:
    """Pictures of a diffusion model in [-1, 1]."""
    told = asked.to(z.device)
    return generator(z, told.c, told.conditions, hints=told.hints, randn=randn, **overrides(denoising), **more)


def overrides(denoising: Denoising) -> dict[str, Any]:
    """The arguments of the model's sampler."""
    return {name: getattr(denoising, name) for name in ("sampler", "steps", "guidance", "eta")}


def sampling_of(generator: Any, denoising: Denoising) -> dict[str, Any]:
    """What the sampler is told in the end, as plain values. Raises ValueError for what it cannot do."""
    given = {name: value for name, value in overrides(denoising).items() if value is not None}
    how = generator.sampling._replace(**given).checked(generator.process)
    return {**how._asdict(), "conditions": denoising.conditions}


def known(generator: Any, columns: Sequence[str], cameras: bool = True) -> list[str]:
    """The conditions beside the label, and the controls, that faces with these columns (and cameras) give."""
    inputs = {} if generator.conditioner is None else generator.conditioner.inputs
    wanted = {name: columns_of(name, given) for name, given in inputs.items()}
    conditions = [name for name, needed in wanted.items() if needed and set(needed) <= set(columns)]
    return [*conditions, *(name for name in generator.control_names if _gives(name, columns, cameras))]


def _gives(control: str, columns: Sequence[str], cameras: bool) -> bool:
    """Whether faces with these columns give a hint; synthetic ones know their coefficients without a pose."""
    if control not in HINTS:
        return False
    needed = hint_columns(control, columns)
    return set(needed) <= set(columns) and (cameras or needed != KNOWN)


def asked_of_faces(generator: Any, batch: FaceBatch, draws: Any) -> Asked:
    """What a model learns to make these faces from, as far as their batch has it.

    draws: `indices(high, count)` chooses among the captions of a face.
    """
    having, side = (
        known(generator, tuple(batch.conditions), batch.cameras.shape[1] == LABEL_SIZE),
        generator.img_resolution,
    )
    conditions = {}
    if names := [name for name in having if name in generator.condition_names]:
        conditions = condition_values(generator.conditioner, batch, draws, names=names)
    hints = {name: hint(name, batch, side) for name in having if name in generator.control_names}
    return Asked(batch.cameras if generator.c_dim else None, conditions, hints)


@dataclass(frozen=True)
class RealFaces:
    """Faces of a recipe that pictures are asked to be like, by their place in an average epoch."""

    dataset: FaceDataset
    items: NDArray[np.int64]

    @classmethod
    def of(cls, recipe: Recipe) -> "RealFaces":
        """The faces of a recipe with the columns of its `conditions`."""
        return cls(FaceDataset(recipe, cache=False), recipe.crowd)

    def batch(self, places: NDArray[np.int64]) -> FaceBatch:
        """Some of them, with black images."""
        batch, side = self.dataset.batch(self.items[places].tolist(), pictures=False), self.dataset.resolution
        return batch._replace(images=torch.zeros(1, 1, 1, 1).expand(len(places), 3, side, side))

    @property
    def columns(self) -> tuple[str, ...]:
        """The conditions that every face has."""
        return tuple(self.dataset.conditions.values)

    def digest(self) -> str:
        """sha256 of the columns; of files, of their names, sizes and modification times."""
        digest = hashlib.sha256(self.items.tobytes())
        for name, values in self.dataset.conditions.values.items():
            digest.update(name.encode())
            if isinstance(values, list):
                digest.update(json.dumps(values).encode())
            elif values.dtype.kind == "S":
                stats = [os.stat(path) for path in values.tolist()]
                digest.update(json.dumps([[stat.st_size, stat.st_mtime_ns] for stat in stats]).encode())
                digest.update(values.tobytes())
            else:
                digest.update(values.tobytes())
        return digest.hexdigest()
