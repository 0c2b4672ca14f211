"""What a diffusion model is told of a batch: the values of its conditions, from labels and columns."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset
from facegen.networks.diffusion.conditioner import Conditioner

COEFFICIENTS = "coefficients"
_CAMERA, _LABELLED = "camera", "class"
_PARTS_PREFIX = "coefficients_"
_MANY = 1 << 30  # indices below this, modulo a few captions, are as good as uniform


class Indices(Protocol):
    """What draws captions: `facegen.models.draws.Draws`, or anything that gives whole numbers."""

    def indices(self, high: int, count: int) -> Tensor:
        """`count` integers in [0, high)."""
        ...


class Faces(Protocol):
    """What sees coefficients in images: `facegen.models.conditioning.FaceConditions`."""

    regressor: Any

    def complete(self, batch: FaceBatch, names: Sequence[str]) -> FaceBatch:
        """The batch with the conditions called `names`."""
        ...


def condition_values(
    conditioner: Conditioner,
    batch: FaceBatch,
    draws: Indices,
    faces: Faces | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Values of all conditions for a batch, or of those called `names`, as `Conditioner` takes them.

    `camera` and classes are the batch's labels. Other numbers are its columns called `columns` (default: the
    condition's name), joined in that order. Of the texts of each face, in the column `captions`, one is drawn. faces:
    sees coefficients where a batch has none; its parts are called coefficients_identity, _expression, _albedo, _angle,
    _light and _translation. Raises ValueError, in one line that says what to set, for what a batch does not have.
    """
    values: dict[str, Any] = {}
    for name in conditioner.names if names is None else names:
        given = conditioner.inputs[name]
        columns = columns_of(name, given)
        if not columns:
            values[name] = _labels(name, given["size"], batch.cameras)
        elif given["kind"] == "text":
            values[name] = _texts(name, columns, batch, draws)
        else:
            batch = _seen(batch, columns, faces)
            values[name] = _joined(name, columns, batch)
    return values


def columns_of(name: str, given: dict[str, Any]) -> tuple[str, ...]:
    """The columns that a condition is made of; none where it is the label."""
    default = {"text": ("captions",), "class": ()}.get(given["kind"], () if name == _CAMERA else (name,))
    return tuple(given.get("columns", default))


@torch.no_grad()
def fill_statistics(
    conditioner: Conditioner, dataset: FaceDataset, faces: Faces | None = None, seen: int = 512
) -> None:
    """Give conditions of numbers the mean and standard deviation that they have in a dataset, as an epoch shows it.

    What only `faces` can see is measured on `seen` images, evenly spaced. Every process finds the same.
    Raises ValueError where columns are missing or have numbers that are not finite.
    """
    for name in conditioner.of_numbers:
        numbers = _all_numbers(conditioner, name, dataset, faces, seen)
        if wrong := int((~numbers.isfinite()).any(dim=1).sum()):
            raise ValueError(
                f"conditions: {name} of {wrong} of {len(numbers)} faces is not finite; exclude these faces"
            )
        conditioner.standardise(name, numbers.mean(dim=0), numbers.std(dim=0, correction=0))


def _all_numbers(
    conditioner: Conditioner, name: str, dataset: FaceDataset, faces: Faces | None, seen: int
) -> Float[Tensor, "face size"]:
    given = conditioner.inputs[name]
    columns, known = columns_of(name, given), dataset.conditions.values
    if not columns or all(column in known for column in columns) or faces is None:
        labels = np.concatenate(
            [
                dataset.labels[dataset.items[: dataset.num_unmirrored]],
                dataset.mirrored_labels[dataset.items[dataset.num_unmirrored :]],
            ]
        )
        conditions = {column: torch.from_numpy(known[column][dataset.items]) for column in columns if column in known}
        batches = [FaceBatch(torch.empty(len(labels), 0), torch.from_numpy(labels), conditions, [])]
    else:
        places = np.unique(np.linspace(0, len(dataset) - 1, min(seen, len(dataset))).astype(np.int64))
        batches = (_on(dataset[part.tolist()], conditioner) for part in np.array_split(places, -(-len(places) // 32)))
    if not columns:
        found = [_labels(name, given["size"], batch.cameras) for batch in batches]
    else:
        found = [_joined(name, columns, _seen(batch, columns, faces)) for batch in batches]
    return torch.cat(found).double()


def _on(batch: FaceBatch, conditioner: Conditioner) -> FaceBatch:
    device = next(conditioner.parameters()).device
    moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.conditions.items()}
    return batch._replace(images=batch.images.to(device), cameras=batch.cameras.to(device), conditions=moved)


def _labels(name: str, size: int, labels: Tensor) -> Tensor:
    if labels.shape[1] == 0:
        raise ValueError(f"conditions: {name} is the faces' label, and they have none; add data.labels=true")
    if labels.shape[1] != size:
        raise ValueError(f"conditions: {name}: got labels of {labels.shape[1]} numbers, expected {size}")
    return labels


def _texts(name: str, columns: Sequence[str], batch: FaceBatch, draws: Indices) -> list[str]:
    """One text of each face, of all its columns."""
    _require(name, columns, batch)
    of_faces = zip(*(batch.conditions[column] for column in columns), strict=True)
    choices = [[text for texts in face for text in texts or ()] for face in of_faces]
    if empty := [face for face, texts in enumerate(choices) if not texts]:
        example = batch.ids[empty[0]] if batch.ids else empty[0]
        raise ValueError(
            f"conditions: {name}: {len(empty)} of {len(choices)} faces have no text in {', '.join(columns)} "
            f"(first {example}); exclude them, or make captions with facegen data describe"
        )
    drawn = draws.indices(_MANY, len(choices)).tolist()
    return [texts[number % len(texts)] for texts, number in zip(choices, drawn, strict=True)]


def _seen(batch: FaceBatch, columns: Sequence[str], faces: Faces | None) -> FaceBatch:
    """The batch with what can be seen of the columns that it lacks."""
    missing = [c for c in columns if c not in batch.conditions and (c == COEFFICIENTS or c.startswith(_PARTS_PREFIX))]
    if faces is None or not missing:
        return batch
    batch = faces.complete(batch, [COEFFICIENTS])
    parts = faces.regressor.split(batch.conditions[COEFFICIENTS])._asdict()
    known = {f"{_PARTS_PREFIX}{part}": numbers for part, numbers in parts.items()}
    return batch._replace(conditions=known | batch.conditions)


def _joined(name: str, columns: Sequence[str], batch: FaceBatch) -> Tensor:
    _require(name, columns, batch)
    found = [batch.conditions[column] for column in columns]
    return found[0] if len(found) == 1 else torch.cat([numbers.flatten(1) for numbers in found], dim=1)


def _require(name: str, columns: Sequence[str], batch: FaceBatch) -> None:
    if missing := [column for column in columns if column not in batch.conditions]:
        raise ValueError(
            f"conditions: the model is told {name}, and the faces come without {', '.join(missing)}; "
            f"add data.conditions=[{','.join(columns)}] with data that has them (docs/conditions.md)"
        )
