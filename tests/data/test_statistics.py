"""Exact numbers of tiny recipes whose poses, sizes and coefficients are known."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from facegen.data import Recipe, table
from facegen.data.density import PoseDensity
from facegen.data.index import build_index
from facegen.data.parts import GRID_DEGREES, parts
from facegen.data.statistics import QUANTILES, shared, statistics
from facegen.geometry.cameras import label, look_at, pinhole_intrinsics, position_yaw_pitch, theta_phi_position
from tests.data.helpers import noise


def make(root: Path, directions: Sequence[tuple[float, float] | None], size: int = 16) -> Path:
    """A folder of images whose cameras stand at (theta, phi) in degrees; None: an image without a camera."""
    root.mkdir(parents=True)
    labels = []
    for number, direction in enumerate(directions):
        Image.fromarray(noise(size, number)).save(root / f"{number}.png")
        if direction is not None:
            place = theta_phi_position(torch.deg2rad(torch.tensor([direction], dtype=torch.float64)))
            h, v = position_yaw_pitch(place).unbind(-1)
            labels.append([f"{number}.png", label(look_at(h, v), pinhole_intrinsics().double())[0].tolist()])
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


def add_vectors(root: Path, name: str, rows: dict[str, list[float]]) -> None:
    """Index a folder, and give some of its faces a vector."""
    build_index(root)
    values = pa.array(np.array(list(rows.values()), dtype=np.float32).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(values, len(next(iter(rows.values()))))
    table.set_columns(table.table_path(root), pa.table({"id": list(rows), name: vectors}))


def numbers(recipe: Recipe) -> dict[str, Any]:
    return statistics(*parts(recipe, "tiny"))


LEVEL = [(90.0, 90.0), (125.0, 90.0), (50.0, 90.0), (160.0, 90.0)]  # heads turned by 0, 35, 40 and 70 degrees


def test_repeats_and_mirrors_count(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", LEVEL), make(tmp_path / "b", [(90.0, 80.0), (91.0, 90.0)], size=20)
    found = numbers(Recipe([{"root": first, "repeat": 3, "mirror": True}, {"root": second, "mirror": False}]))
    assert (found["faces"], found["mirrored"], found["views"], found["items"]) == (6, 4, 10, 26)
    assert [source["items"] for source in found["sources"]] == [24, 2]
    assert found["times"] == {"rule": "copies", "faces": {1: 2, 3: 4}}
    turned = found["poses"]["turned"]
    assert turned["views"] == pytest.approx({30: 6 / 10, 45: 2 / 10, 60: 2 / 10})
    assert turned["items"] == pytest.approx({30: 18 / 26, 45: 6 / 26, 60: 6 / 26})
    yaw, phi = found["poses"]["yaw"], found["poses"]["phi"]
    assert yaw["mean"] * 26 == pytest.approx(1, abs=1e-4)  # mirrors cancel; theta 91 turns the nose to the right
    assert (yaw["least"], yaw["most"]) == pytest.approx((-70, 70), abs=1e-4)
    assert (phi["least"], phi["mean"]) == pytest.approx((80, 90 - 10 / 26))


def test_theta_of_mirrors(tmp_path: Path) -> None:
    whole, _ = parts(Recipe(make(tmp_path / "a", LEVEL), mirror=True), "a")
    poses = whole.poses(whole.views)
    assert poses is not None
    np.testing.assert_allclose(poses.theta, [90, 125, 50, 160, 90, 55, 130, 20], atol=1e-9)
    np.testing.assert_allclose(poses.yaw[4:], -poses.yaw[:4])
    np.testing.assert_allclose(poses.phi, 90, atol=1e-9)


def test_histograms_hold_every_item(tmp_path: Path) -> None:
    found = numbers(Recipe(make(tmp_path / "a", LEVEL), mirror=True))
    histogram = found["poses"]["histograms"]["yaw"]
    edges = histogram["first_edge"] + histogram["bin"] * np.arange(len(histogram["shares"]))
    assert sum(histogram["shares"]) == pytest.approx(1)
    assert histogram["shares"][0] > 0 and histogram["shares"][-1] > 0
    np.testing.assert_allclose(np.sum(histogram["shares"] * np.abs(edges + 1)), 2 * (1 + 35 + 40 + 70) / 8, atol=1.1)


def test_weights_are_what_an_average_epoch_holds(tmp_path: Path, rng: np.random.Generator) -> None:
    root = make(tmp_path / "a", [(t, p) for t, p in zip(rng.normal(90, 35, 40), rng.normal(88, 25, 40), strict=True)])
    recipe = Recipe(root, mirror=True, rebalance="importance")
    whole, _ = parts(recipe, "a")
    assert recipe.weights is not None and np.ptp(recipe.weights) > 0.5
    np.testing.assert_allclose(whole.times, recipe.weights / recipe.weights.mean())
    faces, flipped = whole.items
    assert len(faces) == recipe.num_items == 80
    for side in (False, True):
        assert (np.abs(np.bincount(faces[flipped == side], minlength=40) - whole.times) < 1).all()
    found = numbers(recipe)
    assert found["times"]["rule"] == "weights" and found["times"]["most"] == pytest.approx(whole.times.max())
    expected = np.abs(recipe.rows["yaw_degrees"].to_numpy()) > 30
    assert found["poses"]["turned"]["items"][30] == pytest.approx(np.average(expected, weights=whole.times), abs=2 / 80)


def test_faces_without_a_pose_are_left_out(tmp_path: Path) -> None:
    found = numbers(Recipe(make(tmp_path / "a", [*LEVEL[:2], None])))
    assert (found["faces"], found["poses"]["faces"], found["poses"]["items"]) == (3, 2, 2)
    assert found["sources"][0]["problems"] == {"missing label": 1}
    nothing = make(tmp_path / "b", [None, None])
    (nothing / "dataset.json").unlink()
    assert numbers(Recipe(nothing))["poses"] is None


def test_density_is_that_of_the_items(tmp_path: Path, rng: np.random.Generator) -> None:
    root = make(tmp_path / "a", [(t, p) for t, p in zip(rng.normal(90, 20, 9), rng.normal(85, 9, 9), strict=True)])
    whole, _ = parts(Recipe({"root": root, "repeat": 2}, mirror=True), "a")
    density = whole.density()
    assert density is not None and density.shape == (len(GRID_DEGREES), len(GRID_DEGREES))
    theta, phi = (whole.rows[name].to_numpy() for name in ("theta", "phi"))
    points = np.stack([np.concatenate([theta, np.pi - theta] * 2), np.tile(phi, 4)], axis=1)
    expected = PoseDensity(points).density(np.radians([[100.0, 80.0]]), "direct")
    np.testing.assert_allclose(density[80, 100], expected[0], rtol=1e-9)
    assert parts(Recipe(make(tmp_path / "b", LEVEL[:2])), "b")[0].density() is None


def test_sizes_need_an_index(tmp_path: Path) -> None:
    root = make(tmp_path / "a", LEVEL)
    Image.fromarray(noise(20, 9, height=30)).save(root / "4.jpg")
    assert numbers(Recipe(root))["files"]["pixels"] == {"?": 5}
    build_index(root)
    found = numbers(Recipe(root))
    assert found["files"]["pixels"] == {"16x16": 4, "20x30": 1}
    assert found["files"]["formats"] == {"png": 4, "jpeg": 1}
    assert found["files"]["bytes"] == sum(path.stat().st_size for path in root.glob("*.*g"))
    assert found["sources"][0]["indexed"] is True


def test_ranges_of_expression_and_light(tmp_path: Path, rng: np.random.Generator) -> None:
    root, other = make(tmp_path / "a", LEVEL), make(tmp_path / "b", LEVEL[:1])
    coefficients = rng.normal(size=(3, 257)).astype(np.float32)
    add_vectors(
        root,
        "coefficients",
        {str(2 * n): list(row) for n, row in enumerate(coefficients[:2])} | {"3": list(coefficients[2])},
    )
    found = numbers(Recipe([{"root": root, "exclude": ["0"], "repeat": 2}, other], mirror=True))
    kept = coefficients[[1, 2, 1, 2]]  # copies and mirrors alike; faces 0 and 1 are left out and unknown
    for kind, expected in (("expression", kept[:, 80:144]), ("light", kept[:, 227:254])):
        for ranges in (found[kind], found["sources"][0][kind]):
            assert (ranges["model"], ranges["faces"]) == ("coefficients", 2)
            for quantile in QUANTILES:
                np.testing.assert_allclose(
                    ranges["quantiles"][f"{quantile:.0%}"], np.quantile(expected, quantile, axis=0), rtol=1e-5
                )
        assert found["sources"][1][kind] is None


def test_coefficients_of_two_models_are_not_mixed(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", LEVEL), make(tmp_path / "b", LEVEL)
    add_vectors(first, "coefficients_expression", {"0": [1.0, 2.0], "1": [3.0, 4.0]})
    add_vectors(second, "coefficients", {"0": [0.5] * 257})
    found = numbers(Recipe([first, second]))
    assert found["expression"] is None
    assert found["sources"][0]["expression"]["quantiles"]["50%"] == [2.0, 3.0]
    assert found["sources"][1]["light"]["quantiles"]["95%"] == [0.5] * 27


def test_what_two_recipes_share(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", LEVEL), make(tmp_path / "b", LEVEL)
    both = Recipe([{"root": first, "ids": ["0", "1", "3"]}, second])
    assert shared(both, Recipe(first)) == {"both": 3, "first_only": 4, "second_only": 1}
    assert shared(Recipe(first), Recipe(second)) == {"both": 0, "first_only": 4, "second_only": 4}


def test_everything_is_json(tmp_path: Path) -> None:
    root = make(tmp_path / "a", LEVEL)
    add_vectors(root, "coefficients", {"0": [0.5] * 257})
    text = json.dumps(numbers(Recipe(root, mirror=True)), allow_nan=False)
    assert json.loads(text)["sources"][0]["root"] == str(root)
