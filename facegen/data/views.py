"""The pictures that an average epoch of a recipe shows: which face, flipped or not, and how often."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facegen.data.recipe import Recipe


class Views(NamedTuple):
    """Different pictures: row of the recipe, whether it is flipped, and how often an average epoch shows it."""

    rows: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    times: NDArray[np.int64]


def epoch(recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Row of each item of an average epoch, and whether it is flipped."""
    return recipe.items[recipe.crowd], recipe.crowd >= recipe.num_unmirrored


def views(recipe: Recipe) -> Views:
    """Each picture once: all as they are in the order of the rows, then the flipped ones."""
    rows, flipped = epoch(recipe)
    found, times = np.unique(flipped * np.int64(recipe.num_faces) + rows, return_counts=True)
    turned, row = np.divmod(found, max(recipe.num_faces, 1))
    return Views(row, turned.astype(bool), times)


def labels(recipe: Recipe, rows: NDArray[np.int64], flipped: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Labels (N, c_dim) of pictures."""
    return np.where(flipped[:, None], recipe.mirrored_label_table[rows], recipe.label_table[rows])


def label_pool(recipe: Recipe) -> NDArray[np.float32]:
    """Labels of all items of an average epoch (items, c_dim), from which generated images draw theirs."""
    return labels(recipe, *epoch(recipe))
