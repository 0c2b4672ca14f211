"""CelebA-HQ: told by number, whatever its files are called."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data.index import build_index
from facegen.data.layouts import find
from facegen.data.layouts.celebahq import CELEBAHQ, face_id
from facegen.data.lists import excluded
from facegen.data.sources import open_source
from tests.data.helpers import noise
from tests.data.samples.celebahq import EXCLUDED, NUMBERS, make_celebahq
from tests.data.samples.deep3d import random_values


def test_celebahq_as_celebamask_ships_it(tmp_path: Path) -> None:
    home = make_celebahq(tmp_path)
    indexed = build_index(home)
    rows = indexed.rows
    ids = [str(number) for number in NUMBERS]
    assert indexed.source.kind == "celebahq" and indexed.problems == []
    assert sorted(rows["id"].to_pylist(), key=int) == ids and f"{EXCLUDED}.jpg" in excluded("celebahq")
    with_files = [name for name in ids if name != EXCLUDED]
    for face in rows.select(["id", "coefficients", "render", "pitch_degrees"]).to_pylist():
        if face["id"] == EXCLUDED:
            assert face["coefficients"] is face["render"] is face["pitch_degrees"] is None
            continue
        expected = random_values(with_files.index(face["id"]))["id"][0]
        np.testing.assert_array_equal(np.float32(face["coefficients"][:80]), expected)
        assert (home / "CelebA-HQ-img" / face["render"]).resolve().name == f"{int(face['id']):06d}.png"


@pytest.mark.parametrize("folder", ["celeba-hq", "CelebA_HQ_1024", "celebahq/images", "CelebAMask-HQ/CelebA-HQ-img"])
@pytest.mark.parametrize("pattern", ["{}.jpg", "{:05d}.png", "{:06d}.jpg"])
def test_other_ways_of_naming(folder: str, pattern: str, tmp_path: Path) -> None:
    images = tmp_path / folder
    images.mkdir(parents=True)
    for number in (0, 1, 29999):
        Image.fromarray(noise(8, number)).save(images / pattern.format(number))
    root = images.parent if images.name == "images" else images
    source = open_source(root)
    assert source.kind == "celebahq" and sorted(source.rows["id"].to_pylist()) == ["0", "1", "29999"]


def test_numbers_need_the_name_of_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    Image.fromarray(noise(8, 0)).save(tmp_path / "faces" / "0.jpg")
    assert find(tmp_path / "faces")[0].name == "folder"


def test_with_captions_it_is_another_dataset(tmp_path: Path) -> None:
    home = make_celebahq(tmp_path)
    (home / "text").mkdir()
    assert CELEBAHQ.locate(home) is CELEBAHQ.locate(home / "CelebA-HQ-img") is None


@pytest.mark.parametrize("name", ["30000.jpg", "a.jpg", "1.npy", "masks/1.png", "1_skin.png"])
def test_names_that_are_not_of_the_dataset(name: str) -> None:
    assert face_id(name) is None and face_id("00042.png") == "42"


def test_a_folder_of_any_name_is_celebahq_when_it_is_said_so(tmp_path: Path) -> None:
    """Numbers alone tell nothing; the layout by its name does."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(noise(8, 0)).save(folder / "17.jpg")
    assert open_source(folder).kind == "folder"
    assert open_source(folder, "celebahq").rows["id"].to_pylist() == ["17"]
    (folder / "17.jpg").rename(folder / "00017.jpg")
    assert open_source(folder, "ffhq").rows["id"].to_pylist() == ["00017"]
