"""The procedural head as a morphable model to fit with: no hair, no clothes, modes of unit variance among people."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.checkpoint import atomic_write
from facegen.geometry.cameras import LABEL_SCALE, from_label_world, head_pose, head_rotation
from facegen.morphable import spherical_harmonics
from facegen.morphable.coefficients import Coefficients
from facegen.morphable.model import Basis, MorphableModel
from facegen.morphable.procedural import PARTS, Person, ProceduralHead, load_head, random_person, source_fingerprint
from facegen.morphable.procedural.model import SparseModes

_LEFT_OUT = ("hair", "cloth")
_BACK, _LOW = -0.10, -0.28  # what lies behind the ears and below the chin is left out, in the world of camera labels
_PEOPLE = 4000  # drawn to measure how coefficients vary
_LEAST_DEVIATION, _LEAST_CHANGE = 1e-3, 1e-5
_SIDES, _CHIN, _HAIRLINE = 75.0, -0.22, 0.19  # the face proper: degrees to either side, heights


class Coding(NamedTuple):
    """The head's coefficients of one kind as those of the model: (x[kept] - mean) @ whiten, with unit covariance."""

    kept: Int[Tensor, " mode"]
    mean: Float[Tensor, " mode"]
    whiten: Float[Tensor, "mode mode"]

    def encode(self, values: Float[Tensor, "batch all"]) -> Float[Tensor, "batch mode"]:
        """Coefficients of the model."""
        return (values[:, self.kept] - self.mean) @ self.whiten


class ProceduralFaces(NamedTuple):
    """The model, and how faces of the synthetic source are written in its coefficients.

    `vertices`: which vertices of the procedural head the model has.
    """

    model: MorphableModel
    vertices: Int[Tensor, " vertex"]
    identity: Coding
    expression: Coding
    albedo: Coding

    def coefficients(
        self,
        identity: Float[Tensor, "batch identity"],
        expression: Float[Tensor, "batch expression"],
        albedo: Float[Tensor, "batch albedo"],
        light: Float[Tensor, "batch 27"],
        labels: Float[Tensor, "batch 25"],
    ) -> Float[Tensor, "batch coefficient"]:
        """Columns `coefficients_*` and `camera` of the synthetic source as the model's coefficients.

        Exact for shape, pose and light; albedo up to what the model leaves out; highlights are not modelled.
        """
        angle, translation = head_pose(labels)
        turned = spherical_harmonics.turned(light.unflatten(1, (9, 3)), head_rotation(angle))
        above = turned.mT - self.model.initial_light.to(light)
        parts = (self.identity.encode(identity), self.expression.encode(expression), self.albedo.encode(albedo))
        return self.model.layout.join(Coefficients(*parts, angle, above.flatten(1), translation))


def procedural_model(cache: Path, detail: float = 1.0) -> MorphableModel:
    """The built-in model, from a head that is kept in a cache folder (made there in some seconds at first use)."""
    return procedural_faces(cache, detail).model


@lru_cache(maxsize=2)
def procedural_faces(cache: Path, detail: float = 1.0) -> ProceduralFaces:
    """The built-in model with the coding of synthetic faces; kept in memory, so share it and do not move it."""
    head = load_head(cache, detail)
    rows, people = _face_rows(head), _people(head, cache)
    kinds = [_coded(getattr(head, kind), rows, people[kind]) for kind in Person._fields]
    (shape, identity, of_identity), (moved, expression, of_expression), (tint, albedo, of_albedo) = kinds
    triangles, landmarks = _renumbered(head, rows)
    mean = torch.from_numpy(head.mean_shape[rows]) + shape + moved
    part = torch.from_numpy(head.part[rows])
    front = _front(mean, part)
    basis = Basis(
        from_label_world(mean),
        identity / LABEL_SCALE,
        expression / LABEL_SCALE,
        torch.from_numpy(head.mean_albedo[rows]) + tint,
        albedo,
        triangles,
        landmarks,
        skin=front.float(),
        front=triangles[front[triangles].all(1)],
        parts=part,
        part_names=PARTS,
        recentre=False,
    )
    model = MorphableModel(basis, name=f"procedural head {source_fingerprint()[:8]}", terms="Apache-2.0").eval()
    return ProceduralFaces(model, torch.from_numpy(rows), of_identity, of_expression, of_albedo)


def _people(head: ProceduralHead, cache: Path) -> dict[str, np.ndarray]:
    """Coefficients of random people, a row each, by kind; kept beside the head, for drawing them takes two seconds."""
    path = cache / f"procedural_people_{source_fingerprint()}_{_PEOPLE}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as arrays:
            return {kind: arrays[kind] for kind in Person._fields}
    people = [random_person(head, np.random.default_rng([20, number])) for number in range(_PEOPLE)]
    drawn = {kind: np.stack([getattr(person, kind) for person in people]) for kind in Person._fields}
    with suppress(OSError), atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **drawn)
    return drawn


def _face_rows(head: ProceduralHead) -> np.ndarray:
    """Vertices of skin, ears, eyes and mouth that are not behind the head."""
    shown = ~np.isin(head.part, [PARTS.index(part) for part in _LEFT_OUT])
    return np.flatnonzero(shown & (head.mean_shape[:, 2] > _BACK) & (head.mean_shape[:, 1] > _LOW))


def _renumbered(head: ProceduralHead, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Triangles and landmarks in the numbers of the vertices that are kept."""
    number = np.full(len(head.mean_shape), -1)
    number[rows] = np.arange(len(rows))
    triangles = number[head.triangles]
    triangles = triangles[(triangles >= 0).all(axis=1)]
    return torch.from_numpy(triangles), torch.from_numpy(number[head.landmarks])


def _coded(
    modes: SparseModes, rows: np.ndarray, people: np.ndarray
) -> tuple[Float[Tensor, "vertex 3"], Float[Tensor, "mode vertex 3"], Coding]:
    """What the average person adds to the mean, modes of which people have independent unit amounts, and the coding.

    The new modes are the old ones times the symmetric root of their covariance, so each stays what it was called.
    """
    values = people.astype(np.float64)
    fields = modes.dense(int(modes.rows.max()) + 1 if len(modes.rows) else 1)
    fields = np.pad(fields, ((0, 0), (0, max(int(rows.max()) + 1 - fields.shape[1], 0)), (0, 0)))[:, rows]
    varied, seen = values.std(axis=0) > _LEAST_DEVIATION, np.abs(fields).max(axis=(1, 2)) > _LEAST_CHANGE
    kept = np.flatnonzero(varied & seen)
    mean = values.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(values[:, kept].T))
    root = axes * np.sqrt(variance) @ axes.T
    scaled = np.tensordot(root, fields[kept].astype(np.float64), axes=1)
    added = np.tensordot(mean, fields.astype(np.float64), axes=1)
    coding = (kept, mean[kept].astype(np.float32), np.linalg.inv(root).astype(np.float32))
    as_tensors = [torch.from_numpy(array.astype(np.float32)) for array in (added, scaled)]
    return as_tensors[0], as_tensors[1], Coding(*map(torch.from_numpy, coding))


def _front(mean: Float[Tensor, "vertex 3"], part: Tensor) -> Tensor:
    """Skin, lips and eyes between chin and hairline, seen from in front."""
    x, y, z = mean.unbind(-1)
    inside = (torch.atan2(x.abs(), z).rad2deg() < _SIDES) & (y > _CHIN) & (y < _HAIRLINE)
    return inside & torch.isin(part, torch.tensor([PARTS.index(name) for name in ("skin", "lips", "eye")]))
