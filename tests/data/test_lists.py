"""The exclusion lists that ship with facegen: against the reference (golden3d/16), and as recipes name them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen.data import Recipe
from facegen.data.layouts.celebahq import CELEBAHQ
from facegen.data.layouts.ffhq import FFHQ
from facegen.data.lists import excluded, packaged
from facegen.data.selection import read_ids
from tests.data.samples.ffhq import EXCLUDED, NUMBERS, make_ffhq
from tests.geometry.reference import reference_file

FILE = reference_file("golden3d/16_cleaned_lists.json")
PUBLISHED = {  # names of all images, by index, and what their layout makes of them
    "ffhq": (lambda index: f"{index // 1000 * 1000:05d}/{index:05d}.png", FFHQ),
    "celebahq": (lambda index: f"{index}.jpg", CELEBAHQ),
}


def _lists() -> dict[str, Any]:
    if not FILE.exists():
        pytest.skip(f"reference numbers not found: {FILE}; set FACEGEN_GOLDEN to the folder above golden3d/")
    return json.loads(FILE.read_text())


@pytest.mark.parity
@pytest.mark.parametrize("dataset", PUBLISHED)
def test_excluded_names_are_the_published_ones(dataset: str) -> None:
    reference = _lists()[dataset]
    names = excluded(dataset)
    assert names == reference["names"] and len(names) == reference["excluded"]
    assert hashlib.sha256("\n".join(names).encode()).hexdigest() == reference["sha256"]


@pytest.mark.parity
@pytest.mark.parametrize("dataset", PUBLISHED)
def test_the_published_number_of_images_is_kept(dataset: str) -> None:
    """Over the names of all images, as their layout turns them into ids."""
    reference, (name_of, layout) = _lists()[dataset], PUBLISHED[dataset]
    ids = [layout.face_id(name_of(index)) for index in range(reference["total"])]
    left_out = {Path(name).stem for name in excluded(dataset)}
    assert len(set(ids)) == layout.published == reference["total"] and left_out <= set(ids)
    assert sum(name not in left_out for name in ids) == reference["kept"]


@pytest.mark.parity
def test_every_list_of_the_reference_ships() -> None:
    assert set(_lists()) == set(PUBLISHED)


def test_a_recipe_names_a_list_with_pkg() -> None:
    assert read_ids("pkg:ffhq_excluded") == excluded("ffhq") == packaged("ffhq_excluded")
    with pytest.raises(
        ValueError, match="pkg:ffhq is no list of facegen; expected one of: pkg:celebahq_excluded, pkg:"
    ):
        read_ids("pkg:ffhq")


@pytest.mark.parametrize("name", ["../lists/ffhq_excluded", "__init__", ""])
def test_only_lists_can_be_named(name: str) -> None:
    with pytest.raises(ValueError, match="is no list of facegen"):
        packaged(name)


def test_ids_of_a_layout_are_those_of_its_list(tmp_path: Path) -> None:
    """The sample's one excluded image is left out; the list says .jpg, the images are .png."""
    home = make_ffhq(tmp_path, cleaned=False)
    names = [name for name in excluded("ffhq") if int(Path(name).stem) in NUMBERS]
    recipe = Recipe({"root": home, "exclude": names})
    kept = np.array([f"{number:05d}" for number in NUMBERS if f"{number:05d}" != EXCLUDED])
    np.testing.assert_array_equal(np.char.rpartition(recipe.rows["id"].to_pylist(), "/")[:, 2], kept)
