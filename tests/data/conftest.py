"""Small real sources: folders and zips of random images, with and without labels."""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data.helpers import camera, noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve different 16x16 PNGs and JPEGs at different depths, with a text file among them."""
    root = tmp_path / "photos"
    for number in range(12):
        path = root / ("a" if number % 3 else "b/c") / f"{number:02d}.{'jpg' if number % 4 == 0 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(16, number)).save(path)
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """NVIDIA's layout unpacked: six 16x16 PNGs and dataset.json with camera labels."""
    root = tmp_path / "labelled"
    (root / "00000").mkdir(parents=True)
    names = [f"00000/img{number:08d}.png" for number in range(6)]
    for number, name in enumerate(names):
        Image.fromarray(noise(16, number)).save(root / name)
    labels = [[name, camera(number)] for number, name in enumerate(names)]
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Zip a folder as NVIDIA's tool does, or with other compression or names."""

    def make(root: Path, compression: int = zipfile.ZIP_STORED, extra: Sequence[tuple[str, bytes]] = ()) -> Path:
        path = tmp_path / f"{root.name}.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for file in sorted(p for p in root.rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(root).as_posix())
            for name, data in extra:
                archive.writestr(name, data)
        return path

    return make


@pytest.fixture
def set_labels() -> Callable[[Path, Any], None]:
    """Replace the labels of a folder; a function is applied to the list that is there."""

    def change(root: Path, labels: Any) -> None:
        path = root / "dataset.json"
        if callable(labels):
            labels = labels(json.loads(path.read_text())["labels"])
        path.write_text(json.dumps({"labels": labels}))

    return change


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
