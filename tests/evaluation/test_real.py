"""Real pictures: each once, with how often it comes; and caches that notice every change."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facegen.data import Recipe
from facegen.data.views import label_pool, views
from facegen.evaluation.pixels import pixel_extractor
from facegen.evaluation.real import RealStream, real_labels
from facegen.evaluation.store import Store, key_of
from tests.models.tiny import photographs

CPU = torch.device("cpu")


def stream_of(recipe: Recipe, num_real: int | None = None) -> RealStream:
    return RealStream.of("x", recipe, pixel_extractor(), num_real, CPU)


def test_views_count_copies_and_mirror_images(tmp_path: Path) -> None:
    folder = str(photographs(tmp_path / "a", 3))
    recipe = Recipe([{"root": folder, "repeat": 2, "mirror": True}, {"root": str(photographs(tmp_path / "b", 2))}])
    found = views(recipe)
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 0, 1, 2] and found.flipped.tolist() == [False] * 5 + [True] * 3
    assert found.times.tolist() == [2, 2, 2, 1, 1, 2, 2, 2] and found.times.sum() == recipe.num_items


def test_label_pool_has_every_item(tmp_path: Path) -> None:
    recipe = Recipe(photographs(tmp_path / "a", 3), labels=True, mirror=True)
    pool = label_pool(recipe)
    assert np.array_equal(pool, np.concatenate([recipe.label_table, recipe.mirrored_label_table]))


def test_rows_are_features_of_the_pictures_and_their_mirror_images(tmp_path: Path) -> None:
    recipe = Recipe(photographs(tmp_path / "a", 5), labels=True, mirror=True)
    stream = stream_of(recipe)
    rows = stream.make(0, 64)
    assert stream.rows == len(rows["features"]) == 10
    for place, (row, flipped) in enumerate(zip(stream.views.rows, stream.views.flipped, strict=True)):
        pixels = np.asarray(Image.open(tmp_path / "a" / f"{row:03d}.png")).astype(np.float32)
        pixels = pixels[:, ::-1] if flipped else pixels
        cells = pixels.reshape(4, 4, 4, 4, 3).mean((1, 3)).transpose(2, 0, 1).reshape(-1) / 127.5 - 1
        assert np.allclose(rows["features"][place], cells, atol=1e-5)
        table = recipe.mirrored_label_table if flipped else recipe.label_table
        assert np.array_equal(real_labels(recipe, stream)[place], table[row])


def test_the_first_pictures_of_a_seeded_order(tmp_path: Path) -> None:
    recipe = Recipe(photographs(tmp_path / "a", 40))
    few, all_of_them = stream_of(recipe, 10), stream_of(recipe)
    assert few.rows == 10 and key_of(few.about()) == key_of(all_of_them.about())
    assert few.views.rows[:10].tolist() != list(range(10))
    assert stream_of(recipe, 1000).rows == 40


def new_key(folder: Path, **settings: Any) -> str:
    recipe = Recipe(folder, **{"resolution": 16, "labels": True, **settings})
    return Store(folder, stream_of(recipe).about()).key


def other_picture(folder: Path) -> None:
    """Another picture with the same number of bytes in the place of one: uncompressed PNGs of one size are as long."""
    path = folder / "003.png"
    before = path.stat()
    pixels = np.random.default_rng(9).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)
    assert path.stat().st_size == before.st_size


def other_label(folder: Path) -> None:
    content = json.loads((folder / "dataset.json").read_text())
    content["labels"][2][1][3] += 1e-3
    (folder / "dataset.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = photographs(tmp_path / "a", 5, size=24)
    for path in folder.glob("*.png"):
        Image.open(path).save(path, compress_level=0)
        os.utime(path, (1e9, 1e9))
    return folder


@pytest.mark.parametrize("change", [other_picture, other_label])
def test_changed_files_are_noticed(folder: Path, change: Any) -> None:
    before = new_key(folder)
    assert new_key(folder) == before
    change(folder)
    assert new_key(folder) != before


@pytest.mark.parametrize(
    "settings", [{"resolution": 8}, {"filter": "box"}, {"mirror": True}, {"labels": False}, {"crop": "center"}]
)
def test_changed_settings_are_noticed(folder: Path, settings: dict[str, Any]) -> None:
    assert new_key(folder, **settings) != new_key(folder)


def test_a_moved_dataset_keeps_its_statistics(folder: Path, tmp_path: Path) -> None:
    before = new_key(folder)
    folder.rename(tmp_path / "moved")
    assert new_key(tmp_path / "moved") == before
