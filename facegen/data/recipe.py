"""Recipes: which faces of which sources, how often, and how their pixels become network input."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from facegen.data.balance import (
    Rebalance,
    arc_copies,
    density_copies,
    density_weights,
    parse_rebalance,
    population,
)
from facegen.data.headers import ImageError
from facegen.data.images import check_transform
from facegen.data.inspection import probe
from facegen.data.joining import join_sources
from facegen.data.layouts import Terms
from facegen.data.problems import Problem, summarise
from facegen.data.reader import ImageReader
from facegen.data.sampling import resampled
from facegen.data.selection import parse_sources, select
from facegen.data.sources import Source, open_source
from facegen.data.stamps import LABEL_COLUMNS
from facegen.geometry.cameras import mirror as mirror_cameras

_OF_LABEL_FILES = ("missing file", "malformed file", "unreadable file", "another release")  # while sources are opened
FIRST_TRIED = 100  # images among which a readable one is looked for when no resolution is given


class Recipe:
    """Faces of one or several sources, resolved once into flat arrays.

    sources: a path, a mapping {root, layout?, ids?, exclude?, where?, repeat?, mirror?, rebalance?}, a list of these,
    or a mapping of names to these (see `facegen.data.selection`).
    resolution: side of the square images in pixels; None takes that of the first image.
    filter: `lanczos` or `box`, used where an image has another size. mirror: adds every face flipped.
    labels: requires a label for every face. crop: `center` for images that are not square. convert: makes RGB of
    grey, alpha, 16-bit and CMYK images instead of refusing them. upscale: allows images smaller than `resolution`.
    rebalance: a rule for how often each face comes, by its pose (see `facegen.data.balance`).
    conditions: columns of the sources' tables that come with every image (see `facegen.data.conditions`).
    columns: further vectors of those tables to have in `rows`.

    `repeats` counts how often each row comes in an epoch; `weights`, under a rule of weights, how often relative to the
    others. `mirrored` says which rows come flipped as well.
    Raises ValueError for sources without images, unknown ids, missing labels or poses.
    """

    def __init__(
        self,
        sources: Any,
        resolution: int | None = None,
        filter: str = "lanczos",
        mirror: bool = False,
        labels: bool = False,
        crop: str | None = None,
        convert: bool = False,
        upscale: bool = False,
        rebalance: Any = None,
        conditions: Sequence[str] | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        check_transform(filter, crop)
        self.filter, self.mirror, self.labels = filter, bool(mirror), bool(labels)
        self.crop, self.convert, self.upscale = crop, bool(convert), bool(upscale)
        self.rebalance, self.conditions = parse_rebalance(rebalance), tuple(conditions or ())
        self.specs = parse_sources(sources)
        wanted = (*self.conditions, *columns)
        self.sources: list[Source] = [open_source(spec.root, spec.layout, columns=wanted) for spec in self.specs]
        chosen = [select(source, spec) for source, spec in zip(self.sources, self.specs, strict=True)]
        if self.labels:
            for source, rows in zip(self.sources, chosen, strict=True):
                _require_labels(source, rows)
        self.rows = join_sources(chosen, self.source_names, self.labels)
        self.counts = [len(rows) for rows in chosen]
        self.repeats = self._each(np.int64, "repeat")
        self.mirrored = self._each(np.bool_, "mirror", self.mirror)
        self.weights: NDArray[np.float64] | None = None
        if self.rebalance is not None:
            self._rebalance(self.rebalance)
        self.has_explicit_resolution = resolution is not None
        self.resolution = self._first_size() if resolution is None else _positive(resolution)

    def _each(self, dtype: type, name: str, default: Any = None) -> NDArray[Any]:
        """A setting of the sources as one value per row."""
        values = [getattr(spec, name) for spec in self.specs]
        values = [default if value is None else value for value in values]
        return np.repeat(np.array(values, dtype=dtype), self.counts)

    def _rebalance(self, rebalance: Rebalance) -> None:
        """Apply a rule to the rows of the sources that take part in it."""
        takes_part = self._each(np.bool_, "rebalance")
        rows = self.rows.filter(pa.array(takes_part))
        if rebalance.rule == "eg3d":
            self.repeats[takes_part] *= arc_copies(rows, rebalance.copies)
            return
        crowd = self if rebalance.population is None else Recipe(rebalance.population, resolution=1, mirror=self.mirror)
        points = population(crowd.rows, crowd.mirrored)
        if rebalance.rule == "lpff":
            self.repeats[takes_part] *= density_copies(rows, points)
        else:
            self.weights = np.ones(len(self.rows))
            self.weights[takes_part] = density_weights(rows, points, rebalance.strength)

    @property
    def source_names(self) -> list[str]:
        """What each source is called: as the recipe says, or as its folder is."""
        return [spec.name or source.name for spec, source in zip(self.specs, self.sources, strict=True)]

    @property
    def num_faces(self) -> int:
        """How many different images there are."""
        return len(self.rows)

    @cached_property
    def items(self) -> np.ndarray:
        """Row of each item of one epoch: every row `repeats` times, then those that come flipped as often again."""
        once = np.repeat(np.arange(len(self.rows), dtype=np.int64), self.repeats)
        return np.concatenate([once, once[self.mirrored[once]]])

    @property
    def num_items(self) -> int:
        """Length of an epoch: faces times repeats, and again for those that come flipped."""
        return len(self.items)

    @property
    def num_unmirrored(self) -> int:
        """How many items, from the first on, are not flipped."""
        return int(self.repeats.sum())

    @cached_property
    def item_weights(self) -> NDArray[np.float64] | None:
        """How often each item comes relative to the others; None: all alike."""
        return None if self.weights is None else self.weights[self.items]

    @cached_property
    def crowd(self) -> NDArray[np.int64]:
        """Items as often as an epoch holds them on average: what statistics and labels of the recipe are taken from."""
        every = np.arange(self.num_items, dtype=np.int64)
        return every if self.item_weights is None else resampled(np.cumsum(self.item_weights), every, 0.5)

    @property
    def terms(self) -> list[Terms]:
        """What the authors of the datasets ask for, each once."""
        return list(dict.fromkeys(source.layout.terms for source in self.sources if source.layout.terms))

    @cached_property
    def label_table(self) -> np.ndarray:
        """Labels of all rows, float32 (rows, c_dim): cameras, one-hot classes, or no columns without labels."""
        if not self.labels:
            return np.zeros((len(self.rows), 0), dtype=np.float32)
        if "camera" in self.rows.column_names:
            values = self.rows["camera"].combine_chunks().flatten().to_numpy()
            return values.reshape(len(self.rows), -1).astype(np.float32)  # a copy, for Arrow's memory is read-only
        classes = self.rows["label"].to_numpy()
        return np.eye(int(classes.max()) + 1, dtype=np.float32)[classes]

    @cached_property
    def mirrored_label_table(self) -> np.ndarray:
        """Labels of the flipped images; classes stay what they are."""
        if "camera" not in self.rows.column_names or not self.labels:
            return self.label_table
        return mirror_cameras(torch.from_numpy(self.label_table)).numpy()

    @property
    def c_dim(self) -> int:
        """Length of a label: 25 for cameras, 0 without labels."""
        return self.label_table.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ids, file sizes, repeats or weights, labels in use and the image transform; paths do not enter.

        File sizes are there because numbered ids are alike in different datasets.
        """
        digest = hashlib.sha256(json.dumps(self._transform(), sort_keys=True).encode())
        digest.update("\0".join(self.rows["id"].to_pylist()).encode())
        for array in (self.rows["size"].to_numpy(), self.repeats, self.label_table, self.mirrored, self.weights):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Plain values that belong into every result made with these images."""
        sources = [
            {
                "root": str(source.root),
                "kind": source.kind,
                "faces": faces,
                "of": len(source.rows),
                "repeat": spec.repeat,
                "mirror": self.mirror if spec.mirror is None else spec.mirror,
                "terms": source.layout.terms.licence if source.layout.terms else None,
            }
            for source, spec, faces in zip(self.sources, self.specs, self.counts, strict=True)
        ]
        counts = {"faces": self.num_faces, "items": self.num_items}
        rule = {"rebalance": self.rebalance.rule if self.rebalance else None}
        return {"sources": sources, **counts, **rule, **self._transform(), "fingerprint": self.fingerprint}

    def _transform(self) -> dict[str, Any]:
        names = ("resolution", "filter", "mirror", "labels", "crop", "convert")
        return {name: getattr(self, name) for name in names}

    def _first_size(self) -> int:
        """Shorter side of the first image whose header can be read; the others are for the check before training."""
        if "width" in self.rows.column_names and self.rows["width"][0].is_valid:
            return min(self.rows["width"][0].as_py(), self.rows["height"][0].as_py())
        reader = ImageReader.of(self.rows.slice(0, FIRST_TRIED))
        complaint = ""
        for row in range(len(reader)):
            try:
                header = probe(reader, row)
            except ImageError as error:
                complaint = complaint or f"{reader.where(row)}: {error}"
            else:
                return min(header.width, header.height)
        raise ValueError(f"none of the first {len(reader)} images can be read; {complaint}")


def _positive(resolution: int) -> int:
    if not isinstance(resolution, int) or resolution < 1:
        raise ValueError(f"resolution must be a positive whole number, got {resolution!r}")
    return resolution


def _require_labels(source: Source, rows: pa.Table) -> None:
    """Every chosen face needs a label that can be used; stray labels of other images do no harm."""
    name = next((column for column in LABEL_COLUMNS if column in rows.column_names), None)
    if name is None:
        raise ValueError(f"{source.root} has no labels (dataset.json); add them, or set data.labels=false")
    without = rows.filter(rows[name].is_null())["id"].to_pylist()
    if not without:
        return
    known = [problem for problem in source.problems if "label" in problem.kind or problem.kind in _OF_LABEL_FILES]
    problems = known or [
        Problem("missing label", face, "no usable label in the table; index it again") for face in without
    ]
    raise ValueError(
        f"{source.root}: {len(without)} of {len(rows)} faces have no usable label; {summarise(problems)}. "
        f"See all: facegen data validate root={source.root} labels=true"
    )
