"""Recipes: which faces of which sources, how often, and how their pixels become network input."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from facegen.data.headers import ImageError
from facegen.data.images import check_transform
from facegen.data.inspection import probe
from facegen.data.problems import Problem, summarise
from facegen.data.reader import ImageReader
from facegen.data.selection import parse_sources, select
from facegen.data.sources import Source, open_source
from facegen.data.stamps import LABEL_COLUMNS
from facegen.geometry.cameras import mirror as mirror_cameras

FIRST_TRIED = 100  # images among which a readable one is looked for when no resolution is given


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
        chosen = [select(source, spec) for source, spec in zip(self.sources, specs, strict=True)]
        if self.labels:
            for source, rows in zip(self.sources, chosen, strict=True):
                _require_labels(source, rows)
        self.rows = _join(chosen, [source.name for source in self.sources], self.labels)
        self.counts = [(len(rows), spec.repeat) for rows, spec in zip(chosen, specs, strict=True)]
        self.repeats = np.concatenate([np.full(count, repeat, dtype=np.int64) for count, repeat in self.counts])
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
        sources = [
            {"root": str(source.root), "kind": source.kind, "faces": faces, "of": len(source.rows), "repeat": repeat}
            for source, (faces, repeat) in zip(self.sources, self.counts, strict=True)
        ]
        counts = {"faces": self.num_faces, "items": self.num_items}
        return {"sources": sources, **counts, **self._transform(), "fingerprint": self.fingerprint}

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
    known = [problem for problem in source.problems if "label" in problem.kind]
    problems = known or [Problem("missing label", face, "no usable label in the table") for face in without]
    raise ValueError(
        f"{source.root}: {len(without)} of {len(rows)} faces have no usable label; {summarise(problems)}. "
        f"See all: facegen data validate root={source.root} labels=true"
    )


def _join(tables: Sequence[pa.Table], names: Sequence[str], labels: bool) -> pa.Table:
    """One table over all sources; with several, ids begin with the source's name so that they stay unique."""
    if len(tables) > 1:
        tables = [_prefixed(rows, name) for rows, name in zip(tables, _unique_names(names), strict=True)]
    kinds = {column for rows in tables for column in rows.column_names if column in LABEL_COLUMNS}
    if labels and len(kinds) > 1:
        raise ValueError("some sources have camera labels and others class labels; expected one kind in a recipe")
    if not labels:
        tables = [rows.drop_columns(sorted(kinds & set(rows.column_names))) for rows in tables]
    try:
        tables = [rows.replace_schema_metadata(None) for rows in tables]
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"the tables of the sources do not fit together ({error}); expected columns alike") from error


def _prefixed(rows: pa.Table, name: str) -> pa.Table:
    ids = pa.array([f"{name}/{face}" for face in rows["id"].to_pylist()], pa.string())
    return rows.set_column(rows.column_names.index("id"), "id", ids)


def _unique_names(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name}.{names[:i].count(name)}" for i, name in enumerate(names)]
