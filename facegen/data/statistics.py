"""What can be said of a recipe and of its sources in numbers: plain values for a page, a JSON file, a comparison."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from facegen.data.parts import VECTORS, Part, Poses, Vectors, image_keys, join_vectors, read_vectors
from facegen.data.recipe import Recipe

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TURNED_DEGREES = (30, 45, 60)
BIN_DEGREES = 2
KINDS = tuple(VECTORS)


def statistics(whole: Part, each: list[Part]) -> dict[str, Any]:
    """Counts, sizes, poses, and ranges of expression and light, of a recipe and of each of its sources (see `parts`).

    `views` counts faces as they are and, where the recipe takes them so too, flipped; `items` is an epoch, with copies
    or weights. Poses and ranges are those of the items: what training sees. Angles are in degrees, sizes of images in
    pixels, sizes of files in bytes.
    """
    recipe = whole.recipe
    found = [read_vectors(part, number) for number, part in enumerate(each)]
    own = [_numbers(part, vectors) for part, vectors in zip(each, found, strict=True)]
    sources = [_source(recipe, number) | numbers for number, numbers in enumerate(own)]
    described = {key: value for key, value in recipe.describe().items() if key not in ("sources", "faces", "items")}
    every = own[0] | {"title": whole.title} if len(own) == 1 else _numbers(whole, _joined(found, recipe.counts))
    return {**every, "recipe": described, "sources": sources}


def _joined(found: list[dict[str, Vectors]], counts: list[int]) -> dict[str, Vectors]:
    joined = {kind: join_vectors([vectors.get(kind) for vectors in found], counts) for kind in KINDS}
    return {kind: vectors for kind, vectors in joined.items() if vectors is not None}


def shared(first: Recipe, second: Recipe) -> dict[str, int]:
    """How many images two recipes have in common, and how many only one of them has."""
    ours, theirs = image_keys(first.rows), image_keys(second.rows)
    both = pc.is_in(ours, theirs).true_count  # type: ignore[attr-defined]
    return {"both": both, "first_only": len(ours) - both, "second_only": len(theirs) - both}


def _source(recipe: Recipe, number: int) -> dict[str, Any]:
    """Where a source comes from, and what it holds before anything is left out."""
    source = recipe.sources[number]
    terms = source.layout.terms
    return {
        "root": str(source.root),
        "kind": source.kind,
        "terms": terms._asdict() if terms else None,
        "indexed": source.indexed,
        "published": source.layout.published,
        "found": len(source.rows),
        "ignored_files": source.ignored,
        "problems": dict(Counter(problem.kind for problem in source.problems).most_common()),
    }


def _numbers(part: Part, vectors: dict[str, Vectors]) -> dict[str, Any]:
    items = part.items
    return {
        "title": part.title,
        "faces": len(part.rows),
        "mirrored": int(part.views[1].sum()),
        "views": len(part.views[0]),
        "items": len(items[0]),
        "times": _times(part),
        "files": _files(part.rows),
        "poses": _poses(part),
        **{kind: _ranges(vectors.get(kind), items[0]) for kind in KINDS},
    }


def _times(part: Part) -> dict[str, Any]:
    """How often faces come in an epoch: how many faces for each number of copies, or the range of the weights."""
    times = part.times
    if part.recipe.weights is not None:
        return {"rule": "weights", "least": float(times.min()), "most": float(times.max())}
    copies, faces = np.unique(times.astype(np.int64), return_counts=True)
    return {"rule": "copies", "faces": dict(zip(copies.tolist(), faces.tolist(), strict=True))}


def _files(rows: pa.Table) -> dict[str, Any]:
    sizes = rows["size"].to_numpy()
    formats = Counter(dict(zip(*_counted(rows["codec"]), strict=True)))
    return {
        "bytes": int(sizes.sum()),
        "bytes_quantiles": _quantiles(sizes),
        "formats": dict(formats.most_common()),
        "pixels": _pixels(rows),
    }


def _pixels(rows: pa.Table) -> dict[str, int]:
    """How many images of each size, the most frequent first; images of unknown size, for want of an index, as `?`."""
    if "width" not in rows.column_names:
        return {"?": len(rows)}
    sides = [rows[name].cast(pa.string()) for name in ("width", "height")]
    known = pc.binary_join_element_wise(*sides, "x")  # type: ignore[attr-defined]
    return dict(Counter(dict(zip(*_counted(known.fill_null("?")), strict=True))).most_common())


def _counted(column: pa.ChunkedArray) -> tuple[list[Any], list[int]]:
    counts = column.combine_chunks().value_counts()
    return counts.field("values").to_pylist(), counts.field("counts").to_pylist()


def _poses(part: Part) -> dict[str, Any] | None:
    """Angles of an epoch's items, how many items have any, and how many of the views are turned far."""
    shown, views = part.poses(part.items), part.poses(part.views)
    if shown is None or views is None:
        return None
    angles = {name: _spread(values) for name, values in shown._asdict().items()}
    turned = {"items": _turned(shown), "views": _turned(views)}
    histograms = {name: _histogram(getattr(shown, name)) for name in ("yaw", "pitch")}
    return {
        "faces": int(part.rows["theta"].is_valid().to_numpy().sum()),
        "items": len(shown.yaw),
        **angles,
        "turned": turned,
        "histograms": histograms,
    }


def _spread(values: NDArray[np.float64]) -> dict[str, Any]:
    extremes = {"least": float(values.min()), "most": float(values.max())}
    return {"mean": float(values.mean()), "deviation": float(values.std()), **extremes, **_quantiles(values)}


def _turned(poses: Poses) -> dict[int, float]:
    """Share of heads that are turned by more than some angles to either side."""
    return {angle: float((np.abs(poses.yaw) > angle).mean()) for angle in TURNED_DEGREES}


def _histogram(values: NDArray[np.float64]) -> dict[str, Any]:
    """Share of the items in each bin from the first edge on; only bins from the first to the last that has some."""
    first, last = int(np.floor(values.min() / BIN_DEGREES)), int(np.floor(values.max() / BIN_DEGREES)) + 1
    edges = np.arange(first, last + 1) * BIN_DEGREES
    counts, _ = np.histogram(values, edges)
    return {"first_edge": int(edges[0]), "bin": BIN_DEGREES, "shares": (counts / len(values)).tolist()}


def _ranges(vectors: Vectors | None, items: NDArray[np.int64]) -> dict[str, Any] | None:
    """Quantiles of each number over the items; flipped items count as the image that they are flipped from."""
    if vectors is None:
        return None
    known = ~np.isnan(vectors.values[:, 0])
    rows = items[known[items]]
    if not len(rows):
        return None
    each = [_quantiles(np.ascontiguousarray(vectors.values[:, n])[rows]) for n in range(vectors.values.shape[1])]
    return {
        "model": vectors.model,
        "faces": int(known.sum()),
        "quantiles": {name: [values[name] for values in each] for name in each[0]},
    }


def _quantiles(values: NDArray[Any]) -> dict[str, float]:
    found = np.quantile(values, QUANTILES).tolist()
    return {f"{quantile:.0%}": value for quantile, value in zip(QUANTILES, found, strict=True)}
