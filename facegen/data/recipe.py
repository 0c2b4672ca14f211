"""Recipes: which faces of which sources, how often, and how their pixels become network input."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from facegen.data.images import check_transform
from facegen.data.inspection import probe
from facegen.data.problems import summarise
from facegen.data.reader import ImageReader
from facegen.data.selection import SourceSpec, parse_sources, select
from facegen.data.sources import Source, open_source
from facegen.data.stamps import LABEL_COLUMNS
from facegen.geometry.cameras import mirror as mirror_cameras


class Recipe:
    """Faces of one or several sources, resolved once into flat arrays.

    sources: a path, a mapping {root, ids?, exclude?, repeat?}, or a list of these (see `facegen.data.selection`).
    resolution: side of the square images in pixels; None takes that of the first image.
    filter: `lanczos` or `box`, used where an image has another size. mirror: adds every face flipped.
    labels: requires a label for every face. crop: `center` for images that are not square. convert: makes RGB of
    grey, alpha, 16-bit and CMYK images instead of refusing them. upscale: allows images smaller than `resolution`.

    Raises ValueError for sources without images, unknown ids, missing labels.
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
    ) -> None:
        check_transform(filter, crop)
        self.filter, self.mirror, self.labels = filter, bool(mirror), bool(labels)
        self.crop, self.convert, self.upscale = crop, bool(convert), bool(upscale)
        specs = parse_sources(sources)
        self.sources: list[Source] = [open_source(spec.root) for spec in specs]
        if self.labels:
            self._require_labels()
        self.rows, self.repeats = _join(specs, self.sources, self.labels)
        self.has_explicit_resolution = resolution is not None
        self.resolution = self._first_size() if resolution is None else _positive(resolution)

    @property
    def num_faces(self) -> int:
        """How many different images there are."""
        return len(self.rows)

    @cached_property
    def items(self) -> np.ndarray:
        """Row of each item of one epoch: every row `repeats` times (once more, from the middle on, when mirrored)."""
        once = np.repeat(np.arange(len(self.rows), dtype=np.int64), self.repeats)
        return np.concatenate([once, once]) if self.mirror else once

    @property
    def num_items(self) -> int:
        """Length of an epoch: faces times repeats, doubled by mirroring."""
        return len(self.items)

    @cached_property
    def label_table(self) -> np.ndarray:
        """Labels of all rows, float32 (rows, c_dim): cameras, one-hot classes, or no columns without labels."""
        if not self.labels:
            return np.zeros((len(self.rows), 0), dtype=np.float32)
        if "camera" in self.rows.column_names:
            values = self.rows["camera"].combine_chunks().flatten().to_numpy()
            return np.ascontiguousarray(values.reshape(len(self.rows), -1), dtype=np.float32)
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
        """SHA-256 of ids, file sizes, repeats, labels in use and the image transform; paths do not enter.

        File sizes are there because numbered ids are alike in different datasets.
        """
        digest = hashlib.sha256(json.dumps(self._transform(), sort_keys=True).encode())
        digest.update("\0".join(self.rows["id"].to_pylist()).encode())
        for array in (self.rows["size"].to_numpy(), self.repeats, self.label_table):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Plain values that belong into every result made with these images."""
        sources = [{"root": str(s.root), "kind": s.kind, "images": len(s.rows)} for s in self.sources]
        counts = {"faces": self.num_faces, "items": self.num_items}
        return {"sources": sources, **counts, **self._transform(), "fingerprint": self.fingerprint}

    def _transform(self) -> dict[str, Any]:
        names = ("resolution", "filter", "mirror", "labels", "crop", "convert")
        return {name: getattr(self, name) for name in names}

    def _first_size(self) -> int:
        header = probe(ImageReader.of(self.rows.slice(0, 1)), 0)
        return min(header.width, header.height)

    def _require_labels(self) -> None:
        for source in self.sources:
            if not set(LABEL_COLUMNS) & set(source.rows.column_names):
                raise ValueError(f"{source.root} has no labels (dataset.json); add them, or set data.labels=false")
            if wrong := [problem for problem in source.problems if "label" in problem.kind]:
                raise ValueError(f"{source.root}: {summarise(wrong)}. All: facegen data validate root={source.root}")


def _positive(resolution: int) -> int:
    if not isinstance(resolution, int) or resolution < 1:
        raise ValueError(f"resolution must be a positive whole number, got {resolution!r}")
    return resolution


def _join(specs: Sequence[SourceSpec], sources: Sequence[Source], labels: bool) -> tuple[pa.Table, np.ndarray]:
    """One table over all sources; with several, ids begin with the source's name so that they stay unique."""
    names = _unique_names([source.name for source in sources])
    tables, repeats = [], []
    for spec, source, name in zip(specs, sources, names, strict=True):
        chosen = select(source, spec)
        ids = chosen["id"].to_pylist()
        if len(sources) > 1:
            chosen = chosen.set_column(0, "id", pa.array([f"{name}/{face}" for face in ids], pa.string()))
        unused = [] if labels else [column for column in LABEL_COLUMNS if column in chosen.column_names]
        tables.append(chosen.drop_columns(unused))
        repeats.append(np.full(len(ids), spec.repeat, dtype=np.int64))
    kinds = {name for table in tables for name in table.column_names if name in LABEL_COLUMNS}
    if len(kinds) > 1:
        raise ValueError("some sources have camera labels and others class labels; expected one kind in a recipe")
    try:
        joined = pa.concat_tables(
            [table.replace_schema_metadata(None) for table in tables], promote_options="permissive"
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"the tables of the sources do not fit together ({error}); expected columns alike") from error
    return joined.combine_chunks(), np.concatenate(repeats)


def _unique_names(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name}.{names[:i].count(name)}" for i, name in enumerate(names)]
