"""What a pack holds, in which order, under which names: decided before the first image is read."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegen.data.packing.archives import Kind
from facegen.data.rebalance import reference_names
from facegen.data.recipe import Recipe

VERSION = 1  # of the bytes that a plan leads to


@dataclass(frozen=True)
class PackSettings:
    """How a recipe is packed.

    compression: zlib level of the PNG files, 0 to 9. mirrors: flipped images as files of their own, each after its
    original, where the recipe has them. reencode: writes every image anew, also one that could be copied.
    shard_mb, shard_images: a tar file is not filled beyond these (10^6 bytes; None: no limit).
    Raises ValueError for values out of range.
    """

    kind: Kind
    compression: int = 0
    mirrors: bool = True
    reencode: bool = False
    shard_mb: int | None = 1024
    shard_images: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("zip", "tar"):
            raise ValueError(f"format: got {self.kind!r}, expected zip or tar")
        if type(self.compression) is not int or not 0 <= self.compression <= 9:
            raise ValueError(f"compression: got {self.compression!r}, expected a PNG level from 0 (none) to 9")
        for name in ("shard_mb", "shard_images"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name}: got {value!r}, expected a whole number from 1 on, or null")

    def used(self) -> dict[str, Any]:
        """The settings that make a difference: a zip has no shards."""
        return {name: value for name, value in asdict(self).items() if self.kind == "tar" or "shard" not in name}


class Plan:
    """The images of a pack: row of the recipe and whether flipped, for each; mirrors follow their originals."""

    def __init__(self, recipe: Recipe, settings: PackSettings) -> None:
        self.recipe, self.settings = recipe, settings
        each = 1 + recipe.mirrored.astype(np.int64) * settings.mirrors
        self.rows = np.repeat(np.arange(recipe.num_faces, dtype=np.int64), each)
        self.flips = np.diff(self.rows, prepend=-1) == 0

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def names(self) -> list[str]:
        """Names as NVIDIA's tool numbers them: 00000/img00000000.png."""
        return reference_names(np.ones(len(self), dtype=np.int64))

    @property
    def copies(self) -> NDArray[np.int64]:
        """How often each image is to come, in whole numbers: weights are rounded, the lightest being once."""
        copies, weights = self.recipe.repeats, self.recipe.weights
        if weights is not None:
            copies = copies * np.maximum(np.rint(weights / weights.min()), 1).astype(np.int64)
        return copies[self.rows]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that the bytes of the pack depend on, the versions of libraries aside."""
        facts = [VERSION, self.recipe.fingerprint, self.recipe.source_names, self.settings.used()]
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def labels(self) -> bytes:
        """`dataset.json`: NVIDIA's labels of all images, with the cameras of flipped ones mirrored.

        Beside them stand the ids of the images, which their names do not tell; other tools look at the labels only.
        """
        labels = [[name, self._label(image)] for image, name in enumerate(self.names)] if self.label_kind else None
        return json.dumps({"labels": labels, "ids": [self._ids[row] for row in self.rows]}).encode()

    def sample(self, image: int) -> bytes:
        """What stands beside an image in a tar file: id, source, whether flipped, how often it is to come, label."""
        row, recipe = self.rows[image], self.recipe
        facts: dict[str, Any] = {"id": self._ids[row], "source": self._sources[row]}
        facts |= {"mirrored": bool(self.flips[image]), "repeat": int(recipe.repeats[row])}
        if recipe.weights is not None:
            facts["weight"] = float(recipe.weights[row])
        if self.label_kind:
            facts[self.label_kind] = self._label(image)
        return json.dumps(facts).encode()

    @cached_property
    def label_kind(self) -> str | None:
        """`camera` for 25 numbers, `label` for class numbers, None without labels."""
        if not self.recipe.labels:
            return None
        return "camera" if "camera" in self.recipe.rows.column_names else "label"

    def describe(self) -> dict[str, Any]:
        """What the manifest says beside the files. Names of folders stay out: a pack is made to be given away."""
        described = self.recipe.describe()
        for source, name in zip(described["sources"], self.recipe.source_names, strict=True):
            source["root"] = PurePosixPath(source["root"]).name
            source["name"] = name
        return {
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "settings": self.settings.used(),
            "recipe": described,
            "terms": [terms._asdict() for terms in self.recipe.terms],
            "labels": self.label_kind,
            "images": len(self),
            "mirrored": int(self.flips.sum()),
        }

    def _label(self, image: int) -> Any:
        row = self.rows[image]
        if self.label_kind == "label":
            return self._classes[row]
        table = self.recipe.mirrored_label_table if self.flips[image] else self.recipe.label_table
        return table[row].tolist()

    @cached_property
    def _classes(self) -> list[int]:
        return self.recipe.label_table.argmax(1).tolist()

    @cached_property
    def _ids(self) -> list[str]:
        return self.recipe.rows["id"].to_pylist()

    @cached_property
    def _sources(self) -> list[str]:
        counted = zip(self.recipe.source_names, self.recipe.counts, strict=True)
        return [name for name, count in counted for _ in range(count)]
