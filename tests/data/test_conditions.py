"""What comes with every image of a batch: masks, sketches, captions, numbers, flipped with it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data import FaceDataModule, Recipe
from facegen.data.index import build_index
from facegen.data.masks import CELEBAMASK
from tests.data.samples.mm_celebahq import make_mm_celebahq


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = make_mm_celebahq(tmp_path_factory.mktemp("mm"), size=64)
    build_index(home)
    return home


def test_all_kinds_in_one_batch(faces: Path) -> None:
    names = ["mask", "sketch", "captions"]
    recipe = Recipe(faces, 32, conditions=names)
    batch = next(iter(FaceDataModule(recipe, len(recipe.rows), workers=0).sequential_dataloader()))
    assert list(batch.conditions) == names
    assert batch.conditions["mask"].shape == (6, 1, 32, 32) and batch.conditions["sketch"].shape == (6, 3, 32, 32)
    for row, (path, captions) in enumerate(
        zip(recipe.rows["mask"].to_pylist(), recipe.rows["captions"].to_pylist(), strict=True)
    ):
        small = Image.open(path).resize((32, 32), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(batch.conditions["mask"][row, 0], np.asarray(small))
        assert batch.conditions["captions"][row] == captions and len(captions) == 10


def test_masks_are_flipped_with_left_and_right_changed(faces: Path) -> None:
    recipe = Recipe(faces, 64, mirror=True, conditions=["mask", "sketch"])
    data = FaceDataModule(recipe, 12, workers=2)
    batch = next(iter(data.sequential_dataloader(mirror=True)))
    plain, flipped = batch.conditions["mask"][:6].numpy(), batch.conditions["mask"][6:, :, :, :].numpy()[..., ::-1]
    for number, label in enumerate(CELEBAMASK):
        other = {"l_eye": "r_eye", "r_eye": "l_eye", "l_brow": "r_brow", "r_brow": "l_brow"}.get(label, label)
        other = {"l_ear": "r_ear", "r_ear": "l_ear"}.get(other, other)
        np.testing.assert_array_equal(plain == number, flipped == CELEBAMASK.index(other), label)
    assert set(np.unique(plain)) >= {CELEBAMASK.index(name) for name in ("l_eye", "r_eye", "l_lip")}
    np.testing.assert_array_equal(batch.conditions["sketch"][6:], batch.conditions["sketch"][:6].flip(-1))


def test_numbers(tmp_path: Path) -> None:
    from facegen.data.synthetic import synthesize

    root = synthesize(tmp_path / "heads", 4, 64, workers=0, detail=0.5)
    names = ["landmarks", "yaw_degrees", "parts"]
    batch = FaceDataModule(Recipe(root, conditions=names), 4, workers=0).dataset[[2, 0]]
    assert batch.conditions["landmarks"].shape == (2, 136) and batch.conditions["yaw_degrees"].shape == (2, 1)
    assert batch.conditions["parts"].shape == (2, 1, 64, 64) and batch.conditions["parts"].max() > 1
    with pytest.raises(ValueError, match="landmarks of flipped faces is not known; set mirror=false"):
        FaceDataModule(Recipe(root, mirror=True, conditions=["landmarks"]), 4, workers=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("masks", "no 'masks'; expected mask, .*captions or numbers"),
        ("split", "split has values of type string; expected numbers"),
        ("coefficients", r"faces have no coefficients \(first \d+\); exclude them"),
    ],
)
def test_wrong_conditions(faces: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FaceDataModule(Recipe(faces, 64, conditions=[name]), 4, workers=0)


def test_a_source_without_a_table_has_none(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"no 'mask'; expected mask.*facegen data index"):
        FaceDataModule(Recipe(folder, conditions=["mask"]), 4, workers=0)
