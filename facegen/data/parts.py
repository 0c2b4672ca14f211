"""A recipe, or the faces of one of its sources, as an average epoch shows them: what statistics are made of."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from facegen.data import table
from facegen.data.density import PoseDensity
from facegen.data.recipe import Recipe
from facegen.data.views import epoch
from facegen.morphable.formats.reconstructions import SIZES

GRID_DEGREES = np.linspace(0, 180, 181)  # both axes of density maps, as LPFF draws them
_STARTS = dict(zip(SIZES, np.cumsum([0, *SIZES.values()]).tolist(), strict=False))
# What is said of a face, where tables have it: the column, and which of its numbers.
VECTORS = {
    kind: {
        "coefficients": slice(_STARTS[name], _STARTS[name] + SIZES[name]),
        f"coefficients_{kind}": slice(None),
    }
    for kind, name in (("expression", "exp"), ("light", "gamma"))
}


class Poses(NamedTuple):
    """Angles in degrees: theta and phi of the camera (LPFF: frontal is 90, 90), yaw and pitch of the head."""

    theta: NDArray[np.float64]
    phi: NDArray[np.float64]
    yaw: NDArray[np.float64]
    pitch: NDArray[np.float64]


class Vectors(NamedTuple):
    """Numbers of a morphable model, (faces, numbers) float32 with NaN for faces without; `model`: the table's column,
    because numbers of different models mean different things.
    """

    model: str
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """Rows `first` to `last` of a recipe. A view is a face as it is, or flipped where the recipe takes that as well."""

    title: str
    recipe: Recipe
    first: int
    last: int

    @property
    def rows(self) -> pa.Table:
        """Each face once."""
        return self.recipe.rows.slice(self.first, self.last - self.first)

    @cached_property
    def views(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Face (its place in `rows`) of each view, and whether it is flipped: all as they are, then the flipped."""
        mirrored = np.flatnonzero(self.recipe.mirrored[self.first : self.last])
        faces = np.concatenate([np.arange(self.last - self.first), mirrored])
        return faces, np.arange(len(faces)) >= self.last - self.first

    @cached_property
    def items(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Face of each item of an epoch, and whether it is flipped; under weights, of an average epoch."""
        rows, flipped = epoch(self.recipe)
        here = (rows >= self.first) & (rows < self.last)
        return rows[here] - self.first, flipped[here]

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """How often an average epoch shows each view of a face: its copies, or its share by weight."""
        recipe, here = self.recipe, slice(self.first, self.last)
        if recipe.weights is None or recipe.item_weights is None:
            return recipe.repeats[here].astype(np.float64)
        return recipe.repeats[here] * recipe.weights[here] * recipe.num_items / recipe.item_weights.sum()

    def poses(self, chosen: tuple[NDArray[np.int64], NDArray[np.bool_]]) -> Poses | None:
        """Poses of `views` or `items`, those without a pose left out; None where no face has one."""
        faces, flipped = self.posed(chosen)
        if not len(faces):
            return None
        theta, phi, yaw, pitch = (
            self.rows[name].to_numpy().astype(np.float64)[faces]
            for name in ("theta", "phi", "yaw_degrees", "pitch_degrees")
        )
        theta, phi = np.degrees(theta), np.degrees(phi)
        return Poses(np.where(flipped, 180 - theta, theta), phi, np.where(flipped, -yaw, yaw), pitch)

    def posed(self, chosen: tuple[NDArray[np.int64], NDArray[np.bool_]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Those of `views` or `items` whose face has a pose."""
        faces, flipped = chosen
        if "theta" not in self.rows.column_names:
            return faces[:0], flipped[:0]
        known = self.rows["theta"].is_valid().to_numpy()[faces]
        return faces[known], flipped[known]

    def density(self) -> NDArray[np.float64] | None:
        """Density of the items' poses in 1/rad², (phi, theta) over `GRID_DEGREES`; None for too few poses."""
        poses = self.poses(self.items)
        if poses is None:
            return None
        try:
            density = PoseDensity(np.radians(np.stack([poses.theta, poses.phi], axis=1)))
        except ValueError:  # fewer than three points, or all on a line
            return None
        theta, phi = np.meshgrid(GRID_DEGREES, GRID_DEGREES)
        return density.density(np.radians(np.stack([theta.ravel(), phi.ravel()], axis=1))).reshape(theta.shape)


def parts(recipe: Recipe, title: str) -> tuple[Part, list[Part]]:
    """The whole recipe, and its sources."""
    ends = np.cumsum(recipe.counts).tolist()
    named = zip(recipe.source_names, ends, recipe.counts, strict=True)
    each = [Part(name, recipe, end - count, end) for name, end, count in named]
    return Part(title, recipe, 0, len(recipe.rows)), each


def read_vectors(part: Part, number: int) -> dict[str, Vectors]:
    """Expression and light of the faces of source `number`, the one that `part` is, where its table has them.

    Read from the table one source at a time, because a recipe does not hold vectors that training does not need.
    """
    source = part.recipe.sources[number]
    place = table.table_path(source.root)
    known = set(table.schema(place).names) if source.indexed else set()
    names = {kind: next((name for name in columns if name in known), None) for kind, columns in VECTORS.items()}
    order = pc.index_in(image_keys(part.rows), image_keys(source.rows)).to_numpy()  # type: ignore[attr-defined]
    found = {}
    for name in dict.fromkeys(name for name in names.values() if name):
        column = table.read(place, [name])[name].combine_chunks()
        for kind in (kind for kind, chosen in names.items() if chosen == name):
            found[kind] = Vectors(name, _chosen(column, VECTORS[kind][name], order))
    return found


def _chosen(column: pa.FixedSizeListArray, numbers: slice, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some numbers of some rows of a column of vectors, NaN for rows without; nothing else is copied."""
    known = column.is_valid().to_numpy(zero_copy_only=False)
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)[:, numbers]
    values = np.full((len(rows), vectors.shape[1]), np.nan, dtype=np.float32)
    values[known[rows]] = vectors[
        (np.cumsum(known) - 1)[rows[known[rows]]]
    ]  # null rows have no place among the vectors
    return values


def join_vectors(found: list[Vectors | None], counts: list[int]) -> Vectors | None:
    """Those of all sources as one, where all that have some have the same model's."""
    known = [vectors for vectors in found if vectors is not None]
    if not known or len({(vectors.model, vectors.values.shape[1]) for vectors in known}) > 1:
        return None
    empty = [np.full((count, known[0].values.shape[1]), np.nan, dtype=np.float32) for count in counts]
    values = [none if vectors is None else vectors.values for vectors, none in zip(found, empty, strict=True)]
    return Vectors(known[0].model, np.concatenate(values))


def image_keys(rows: pa.Table) -> pa.Array:
    """What tells images apart whatever they are called: the file, and the place in it."""
    parts = rows["uri"], rows["offset"].cast(pa.string())
    return pc.binary_join_element_wise(*parts, ":").combine_chunks()  # type: ignore[attr-defined]
