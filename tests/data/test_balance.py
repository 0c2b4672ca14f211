"""Recipes of which some faces come more often: conditions, mirrors, copies and weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.data import FaceDataModule, Recipe, table
from facegen.data.index import build_index
from facegen.data.rebalance import PoseDensity, copies, importance, with_mirrors
from facegen.geometry.cameras import label, look_at, pinhole_intrinsics
from tests.data.helpers import noise


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """Forty faces, thirty nearly frontal ones and ten turned far."""
    root = tmp_path / "turned"
    (root / "00000").mkdir(parents=True)
    rng, labels = np.random.default_rng(0), []
    for number in range(40):
        name = f"00000/img{number:08d}.png"
        Image.fromarray(noise(8, number)).save(root / name)
        far = number >= 30
        yaw = rng.uniform(0.8, 1.5) * rng.choice([-1, 1]) if far else rng.normal(0, 0.1)
        pose = look_at(np.pi / 2 + yaw, np.pi / 2 + rng.uniform(-0.9, 0.9) * (0.1, 1)[far])
        labels.append([name, label(pose.double(), pinhole_intrinsics().double())[0].tolist()])
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


def angles(recipe: Recipe) -> np.ndarray:
    return np.stack([recipe.rows["theta"].to_numpy(), recipe.rows["phi"].to_numpy()], axis=1)


@pytest.mark.parametrize("mirror", [False, True])
def test_copies_by_density(turned: Path, mirror: bool) -> None:
    """The population of the density includes the flipped faces exactly where the recipe does."""
    recipe = Recipe(turned, mirror=mirror, rebalance="lpff")
    points = angles(recipe)
    expected = copies(PoseDensity(with_mirrors(points) if mirror else points).density(points))
    np.testing.assert_array_equal(recipe.repeats, expected)
    assert expected.max() > 1 and recipe.num_items == expected.sum() * (2 if mirror else 1)
    assert recipe.fingerprint != Recipe(turned, mirror=mirror).fingerprint


def test_copies_by_arcs_of_yaw(turned: Path) -> None:
    recipe = Recipe({"root": turned, "repeat": 3}, rebalance="eg3d")
    yaw = np.abs(recipe.rows["yaw_degrees"].to_numpy())
    assert set(np.unique(recipe.repeats)) >= {3, 48} and recipe.repeats[yaw.argmax()] == 48
    assert (np.diff(recipe.repeats[np.argsort(yaw)]) < 0).sum() <= 2  # pitch moves a face across a border, not more


def test_weights_need_no_copies(turned: Path) -> None:
    """An epoch is as long as the recipe, and holds each face as often as its weight says, on average exactly."""
    recipe = Recipe(turned, rebalance="importance")
    weights = importance(PoseDensity(angles(recipe)).density(angles(recipe)))
    assert recipe.weights is not None and recipe.num_items == 40 and weights.max() > 1.5 * weights.min()
    np.testing.assert_allclose(recipe.weights, weights)
    data = FaceDataModule(recipe, 8, workers=0)
    ids, epochs = recipe.rows["id"].to_pylist(), 200
    stream = iter(data.train_dataloader())
    counts = dict.fromkeys(ids, 0)
    for _ in range(epochs * 5):
        for name in next(stream).ids:
            counts[name] += 1
    share = np.array([counts[name] for name in ids]) / epochs
    np.testing.assert_allclose(share, 40 * weights / weights.sum(), atol=0.1)
    assert Recipe(turned).fingerprint != recipe.fingerprint


def test_statistics_and_labels_follow_the_weights(turned: Path) -> None:
    recipe = Recipe(turned, mirror=True, labels=True, rebalance={"rule": "importance", "strength": 2.0})
    data = FaceDataModule(recipe, 8, workers=0)
    pool, weights = data.label_pool, recipe.item_weights
    assert pool is not None and weights is not None and len(pool) == 80
    expected = (weights * (np.arange(80) % 40 >= 30)).sum() / weights.sum()
    rows = {tuple(row) for table in (recipe.label_table, recipe.mirrored_label_table) for row in table[30:].tolist()}
    assert abs(np.mean([tuple(row) in rows for row in pool.tolist()]) - expected) < 0.03
    seen = [name for batch in data.sequential_dataloader(mirror=True) for name in batch.ids]
    assert len(seen) == 80 and abs(np.mean([name >= "00000/img00000030" for name in seen]) - expected) < 0.03


def test_one_source_mirrored_and_left_alone_by_the_rule(turned: Path, labelled: Path) -> None:
    sources = {
        "files": {"root": labelled, "mirror": False, "rebalance": False},
        "large": {"root": turned, "mirror": True},
    }
    recipe = Recipe(sources, 8, labels=True, rebalance="lpff")
    assert recipe.rows["id"][0].as_py().startswith("files/") and recipe.mirrored.tolist() == [False] * 6 + [True] * 40
    assert (recipe.repeats[:6] == 1).all() and recipe.repeats[6:].max() > 1
    assert recipe.num_unmirrored == recipe.repeats.sum()
    np.testing.assert_array_equal(np.unique(recipe.items[recipe.num_unmirrored :]), np.arange(6, 46))
    batches = FaceDataModule(recipe, 8, workers=0).sequential_dataloader(mirror=True)
    assert sum(len(batch.ids) for batch in batches) == recipe.num_items


def test_another_population(turned: Path, labelled: Path) -> None:
    """The density may be that of other sources than those of the recipe, as LPFF's list for StyleGAN needs it."""
    recipe = Recipe(labelled, rebalance={"rule": "lpff", "population": {"turned": {"root": turned, "mirror": True}}})
    points = with_mirrors(angles(Recipe(turned)))
    np.testing.assert_array_equal(recipe.repeats, copies(PoseDensity(points).density(angles(recipe))))


def test_conditions_on_the_table(turned: Path) -> None:
    build_index(turned)
    ids = Recipe(turned).rows["id"]
    quality = pa.table({"id": ids, "quality": pa.array(np.linspace(0, 1, 40))})
    table.set_columns(table.table_path(turned), quality)
    recipe = Recipe({"root": turned, "where": "abs(yaw_degrees) > 40 and quality < 0.9"})
    assert recipe.rows["id"].to_pylist() == ids.to_pylist()[30:36]
    with pytest.raises(ValueError, match=r"where='qualty > 1' cannot be asked of .*its columns: id, .*quality"):
        Recipe({"root": turned, "where": "qualty > 1"})
    with pytest.raises(ValueError, match="no image is left of 40"):
        Recipe({"root": turned, "where": "quality > 2"})
    Image.fromarray(noise(8, 99)).save(turned / "00000" / "img00000000.png")
    with pytest.raises(ValueError, match=r"1 images changed since the last facegen data index"):
        Recipe({"root": turned, "where": "quality > 0.5"})


@pytest.mark.parametrize(
    ("rebalance", "message"),
    [
        ("even", "got 'even', expected one of: lpff, eg3d, importance"),
        (3, "expected one of lpff, eg3d, importance, or a mapping"),
        ({"rule": "lpff", "copy": 1}, "or a mapping with rule"),
        ({"rule": "importance", "strength": -1}, "strength"),
        ({"rule": "eg3d", "copies": "nowhere.json"}, r"nowhere\.json is not a table of copies"),
    ],
)
def test_wrong_rules(turned: Path, rebalance: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(turned, rebalance=rebalance)


def test_rules_need_poses(folder: Path, turned: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ship no cameras"):
        Recipe(folder, rebalance="lpff")
    with pytest.raises(ValueError, match="12 of 52 have none"):
        Recipe([turned, folder], 8, rebalance="importance")
    with pytest.raises(ValueError, match="needs the camera of every face"):
        Recipe(folder, rebalance="eg3d")
    (tmp_path / "short.json").write_text('{"0": 2, "1": 1}')
    with pytest.raises(ValueError, match=r"is for 2 faces.*expected the 40 faces"):
        Recipe(turned, rebalance={"rule": "eg3d", "copies": tmp_path / "short.json"})
    with pytest.raises(ValueError, match=r"no table that is up to date; make its table: facegen data index"):
        Recipe({"root": turned, "where": "yaw_degrees > 0"})
