"""Figures of a tiny generator beside a folder of known pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.cli.evaluate import PixelStatistics
from tests.cli.conftest import Facegen


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index, value in enumerate((10, 30)):
        Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(folder / f"{index}.png")
    return folder


def test_pixel_statistics() -> None:
    statistics = PixelStatistics()
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3))
    for image in images:
        statistics.add(image)
    result = statistics.result()
    assert result["mean"] == pytest.approx(images.mean((0, 1, 2)), abs=0.01)
    assert result["deviation"] == pytest.approx(images.std((0, 1, 2)), abs=0.01)
    pairs = [np.sqrt(((images[i] - images[i + 1]) ** 2).mean()) for i in (0, 1)]
    assert result["variety"] == pytest.approx(np.mean(pairs), abs=0.01)


def test_real_images_are_measured_and_named(facegen: Facegen, export: Path, photographs: Path, tmp_path: Path) -> None:
    words = ["num_images=4", "data=folder", f"data.root={photographs}", "data.workers=0", f"out={tmp_path / 'r.json'}"]
    status, out, _ = facegen("evaluate", f"checkpoint={export}", *words)
    result = json.loads(out.splitlines()[-1])
    assert status == 0 and result == json.loads((tmp_path / "r.json").read_text())
    assert result["real"]["images"] == result["generated"]["images"] == 4
    assert result["real"]["mean"] == [20, 20, 20] and result["real"]["deviation"] == [10, 10, 10]
    assert result["recipe"]["filter"] == "lanczos" and len(result["recipe"]["fingerprint"]) == 64
    assert result["seconds_per_image"] > 0 and "seconds per image" in out


@pytest.mark.parametrize("kind", ["camera_export", "eg3d_export"])
def test_without_real_images(facegen: Facegen, kind: str, request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue(kind)
    status, out, _ = facegen("evaluate", f"checkpoint={checkpoint}", "num_images=3", "batch_size=2")
    assert status == 0 and json.loads(out.splitlines()[-1])["real"] is None


def test_mistakes(refused, export: Path, tmp_path: Path) -> None:
    assert "num_images=1" in refused("evaluate", f"checkpoint={export}", "num_images=1")
    assert "data.root is missing" in refused("evaluate", f"checkpoint={export}", "data=folder")
    assert "did you mean data.root?" in refused("evaluate", f"checkpoint={export}", "data=folder", "data.rot=x")
    assert "did you mean folder?" in refused("evaluate", f"checkpoint={export}", "data=foldr")
    assert "whole number" in refused("evaluate", f"checkpoint={export}", "data=folder", "data.root=x", "data.workers=a")
