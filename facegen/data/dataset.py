"""The torch Dataset of a recipe: a list of items in, one FaceBatch out."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from facegen.data.batch import FaceBatch
from facegen.data.cache import PixelCache, wants_cache
from facegen.data.conditions import Conditions
from facegen.data.headers import ImageError
from facegen.data.images import decode, resize
from facegen.data.reader import ImageReader
from facegen.data.recipe import Recipe


class FaceDataset(Dataset):
    """Items of a recipe's epoch; indexing with a list of items gives their batch, uint8, already collated.

    Batches are assembled here and not by a collate function: one copy less, and the decoder's error can name the
    file. Holds flat arrays only, so that it crosses fork and spawn.
    """

    def __init__(self, recipe: Recipe, cache: bool | str = "auto") -> None:
        self.reader = ImageReader.of(recipe.rows)
        self.items, self.num_unmirrored = recipe.items, recipe.num_unmirrored
        self.labels, self.mirrored_labels = recipe.label_table, recipe.mirrored_label_table
        self.resolution, self.filter, self.crop = recipe.resolution, recipe.filter, recipe.crop
        self.convert, self.upscale = recipe.convert, recipe.upscale
        self.mirrored = recipe.mirrored
        flips = bool(recipe.mirrored.any())
        self.conditions = Conditions(recipe.rows, recipe.conditions, recipe.resolution, flips)
        shape = (3, recipe.resolution, recipe.resolution)
        wanted = wants_cache(cache, recipe.num_faces, recipe.resolution)
        self.cache = PixelCache(recipe.num_faces, shape) if wanted else None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, items: int | Sequence[int]) -> FaceBatch:
        return self.batch(items)

    def batch(self, items: int | Sequence[int], pictures: bool = True) -> FaceBatch:
        """The batch of some items; without `pictures`, nothing is decoded and the images are empty, (N, 3, 0, 0)."""
        rows, flipped = self.views(items)
        side = self.resolution if pictures else 0
        images = np.empty((len(rows), 3, side, side), dtype=np.uint8)
        for place, (row, flip) in enumerate(zip(rows.tolist(), flipped.tolist(), strict=True) if pictures else ()):
            image = self.pixels(row)
            images[place] = image[:, :, ::-1] if flip else image
        cameras = np.where(flipped[:, None], self.mirrored_labels[rows], self.labels[rows])
        ids = [self.reader.ids[row] for row in rows]
        conditions = self.conditions.batch(rows, flipped)
        return FaceBatch(torch.from_numpy(images), torch.from_numpy(cameras), conditions, ids)

    def views(self, items: int | Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Row of each of some items, and whether it comes flipped."""
        chosen = np.atleast_1d(np.asarray(items, dtype=np.int64))
        return self.items[chosen], chosen >= self.num_unmirrored

    def pixels(self, row: int) -> np.ndarray:
        """Image of a row, uint8 (3, resolution, resolution), from the cache or decoded. Raises ImageError."""
        if self.cache is not None and (image := self.cache.get(row)) is not None:
            return image
        image = self._decode(row)
        if self.cache is not None:
            self.cache.put(row, image)
        return image

    def _decode(self, row: int) -> np.ndarray:
        data = self.reader.read(row)
        try:
            image = decode(data, self.convert)
            height, width = image.shape[:2]
            if min(height, width) < self.resolution and not self.upscale:
                advice = "lower the resolution, or set data.upscale=true"
                raise ImageError(f"{width}x{height} is smaller than resolution {self.resolution}; {advice}")
            return resize(image, self.resolution, self.filter, self.crop).transpose(2, 0, 1)
        except ValueError as error:
            raise ImageError(f"{self.reader.where(row)}: {error}") from error
