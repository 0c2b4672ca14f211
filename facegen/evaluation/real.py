"""Real pictures as rows of features: each that a recipe shows once, in a seeded order."""

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from facegen.data import Recipe
from facegen.data.dataset import FaceDataset
from facegen.data.sampling import epoch_order
from facegen.data.views import Views, labels, views
from facegen.evaluation.pixels import pixel_rows
from facegen.evaluation.store import Arrays
from facegen.evaluation.streams import extract
from facegen.metrics.extractors import Extractor

REAL_BATCH = 64


def files_digest(recipe: Recipe) -> str:
    """sha256 of names, places, sizes and modification times of all images: another picture in the place of one shows.

    A recipe's fingerprint knows sizes only, and paths, so that a moved dataset keeps its statistics, do not enter.
    """
    digest, stamps = hashlib.sha256(), {}
    table = recipe.rows
    columns = (table[name].to_pylist() for name in ("id", "uri", "offset", "size"))
    for name, uri, offset, size in zip(*columns, strict=True):
        if uri not in stamps:
            status = os.stat(uri)
            stamps[uri] = (status.st_size, status.st_mtime_ns)
        digest.update(repr((name, offset, size, *stamps[uri])).encode())
    return digest.hexdigest()


@dataclass
class RealStream:
    """Each different picture of a recipe once, in a seeded order, so that the first N are a fair sample."""

    title: str
    rows: int
    batch_size: int
    dataset: FaceDataset
    extractor: Extractor
    views: Views  # in the order of the stream
    source: dict[str, Any]
    device: torch.device

    @classmethod
    def of(
        cls, name: str, recipe: Recipe, extractor: Extractor, num_real: int | None, device: torch.device
    ) -> "RealStream":
        """The pictures of an average epoch."""
        found = views(recipe)
        order = epoch_order(0, len(found.rows), 0)
        ordered = Views(found.rows[order], found.flipped[order], found.times[order])
        source = {"fingerprint": recipe.fingerprint, "files": files_digest(recipe)}
        rows = len(order) if num_real is None else min(num_real, len(order))
        dataset = FaceDataset(recipe, cache=False)
        return cls(f"real {name}", rows, REAL_BATCH, dataset, extractor.to(device), ordered, source, device)

    def about(self) -> dict[str, Any]:
        """Recipe, files and extractor."""
        return {"kind": "real", **self.source, "batch": REAL_BATCH, "extractor": self.extractor.protocol}

    def to(self, device: torch.device) -> None:
        """Move the extractor."""
        self.device = device
        self.extractor.to(device)

    def make(self, first: int, count: int) -> Arrays:
        """Decode and look at some pictures."""
        chosen = zip(self.views.rows[first : first + count], self.views.flipped[first : first + count], strict=True)
        pixels = [self.dataset.pixels(int(row)) for row, _ in chosen]
        flips = self.views.flipped[first : first + count]
        stack = np.stack([image[:, :, ::-1] if flip else image for image, flip in zip(pixels, flips, strict=True)])
        images = torch.from_numpy(stack).to(self.device)
        return {"features": extract(self.extractor, images), "pixels": pixel_rows(images)}


def real_labels(recipe: Recipe, stream: RealStream) -> np.ndarray:
    """Labels of the rows of a stream of real pictures."""
    chosen = slice(0, stream.rows)
    return labels(recipe, stream.views.rows[chosen], stream.views.flipped[chosen])
