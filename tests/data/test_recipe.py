import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.data import Recipe
from facegen.geometry.cameras import mirror
from tests.data.helpers import camera, noise


def test_one_source(folder: Path) -> None:
    recipe = Recipe(folder)
    assert (recipe.resolution, recipe.num_faces, recipe.num_items, recipe.c_dim) == (16, 12, 12, 0)
    assert recipe.rows["id"].to_pylist()[0] == "a/01"
    np.testing.assert_array_equal(recipe.repeats, np.ones(12))


def test_several_sources_keep_their_ids_apart(folder: Path, labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "photos"
    twin.symlink_to(folder)
    recipe = Recipe([str(folder), {"root": str(labelled)}, twin])
    ids = recipe.rows["id"].to_pylist()
    assert len(set(ids)) == len(ids) == 30
    assert {"photos.0/a/01", "labelled/00000/img00000000", "photos.1/a/01"} <= set(ids)


def test_ids_exclusions_and_repeats(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# bad ones\na/01.png\nb/c/00\n")
    (tmp_path / "list.json").write_text(json.dumps(["a/01", "b/c/00"]))
    (tmp_path / "list.csv").write_text('id,reason\na/01,blurred\nb/c/00,"dark, small"\n')
    for name in ("list.txt", "list.json", "list.csv"):
        recipe = Recipe({"root": folder, "exclude": str(tmp_path / name), "repeat": 3})
        assert len(recipe.rows) == 10 and recipe.num_items == 30
        assert not {"a/01", "b/c/00"} & set(recipe.rows["id"].to_pylist())
    assert Recipe({"root": folder, "ids": ["b/c/00", "a/01.png"]}).rows["id"].to_pylist() == ["a/01", "b/c/00"]
    np.testing.assert_array_equal(recipe.items, np.repeat(np.arange(10), 3))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "expected a folder"),
        (None, "expected a folder"),
        (5, "expected a folder"),
        ([5], "mapping with root"),
        ([{"path": "x"}], "mapping with root"),
        ([{"root": "x", "repeats": 2}], "mapping with root"),
        ([{"root": "x", "repeat": 0}], "repeat must be"),
        ([{"root": "x", "repeat": 1.5}], "repeat must be"),
        ("nowhere", "does not exist"),
    ],
)
def test_wrong_sources(sources: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(sources)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"ids": ["a/99"]}, "1 of 1 ids do not exist.*'a/99'.*look like 'a/01'"),
        ({"exclude": ["x"]}, "exclude do not exist"),
        ({"ids": "missing.txt"}, r"missing\.txt.*does not exist"),
        ({"ids": []}, "no image is left"),
    ],
)
def test_wrong_choices(folder: Path, choice: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe({"root": folder, **choice})


@pytest.mark.parametrize("options", [{"filter": "bicubic"}, {"crop": "top"}, {"resolution": 0}, {"resolution": "64"}])
def test_wrong_options(folder: Path, options: dict) -> None:
    with pytest.raises(ValueError, match=r"unknown|positive"):
        Recipe(folder, **options)


def test_fingerprint_names_what_the_network_sees(folder: Path, labelled: Path, make_zip: Callable[..., Path]) -> None:
    variants = [
        Recipe(folder),
        Recipe(folder, 8),
        Recipe(folder, 8, "box"),
        Recipe(folder, mirror=True),
        Recipe({"root": folder, "repeat": 2}),
        Recipe({"root": folder, "exclude": ["a/01"]}),
        Recipe(labelled),
        Recipe(labelled, labels=True),
    ]
    assert len({recipe.fingerprint for recipe in variants}) == len(variants)
    assert Recipe(folder, 16).fingerprint == Recipe(folder).fingerprint
    assert Recipe(make_zip(folder)).fingerprint == Recipe(folder).fingerprint
    assert Recipe(make_zip(labelled), labels=True).fingerprint == Recipe(labelled, labels=True).fingerprint


def test_fingerprint_tells_datasets_with_the_same_names_apart(tmp_path: Path) -> None:
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        Image.fromarray(noise(16 + seed, seed)).save(tmp_path / str(seed) / "00000.png")
    assert Recipe(tmp_path / "0", 8).fingerprint != Recipe(tmp_path / "1", 8).fingerprint


def test_description_is_plain(folder: Path) -> None:
    described = Recipe([folder], 8, "box", mirror=True).describe()
    assert json.loads(json.dumps(described)) == described
    assert (described["filter"], described["resolution"], described["faces"], described["items"]) == ("box", 8, 12, 24)
    source = {"root": str(folder), "kind": "folder", "faces": 12, "of": 12, "repeat": 1, "mirror": True, "terms": None}
    assert described["sources"] == [source]


def test_labels(labelled: Path) -> None:
    recipe = Recipe(labelled, labels=True, mirror=True)
    expected = np.array([camera(i) for i in range(6)], dtype=np.float32)
    assert recipe.c_dim == 25 and recipe.label_table.dtype == np.float32
    np.testing.assert_array_equal(recipe.label_table, expected)
    import torch

    np.testing.assert_array_equal(recipe.mirrored_label_table, mirror(torch.from_numpy(expected)).numpy())
    assert Recipe(labelled).c_dim == 0 and Recipe(labelled).label_table.shape == (6, 0)


def test_class_labels_become_one_hot(labelled: Path, set_labels: Callable) -> None:
    set_labels(labelled, lambda labels: [[name, number % 3] for number, (name, _) in enumerate(labels)])
    recipe = Recipe(labelled, labels=True, mirror=True)
    np.testing.assert_array_equal(recipe.label_table, np.eye(3)[[0, 1, 2, 0, 1, 2]])
    np.testing.assert_array_equal(recipe.mirrored_label_table, recipe.label_table)


def test_missing_labels_are_named_unless_the_face_is_left_out(
    labelled: Path, folder: Path, set_labels: Callable
) -> None:
    with pytest.raises(ValueError, match=r"photos has no labels.*labels=false"):
        Recipe([labelled, folder], labels=True)
    set_labels(labelled, lambda labels: labels[1:])
    with pytest.raises(
        ValueError, match=r"1 of 6 faces have no usable label.*img00000000.*facegen data validate root="
    ):
        Recipe(labelled, labels=True)
    assert Recipe({"root": labelled, "exclude": ["00000/img00000000"]}, labels=True).c_dim == 25
    assert Recipe(labelled).num_faces == 6


def test_kinds_of_labels_do_not_mix(labelled: Path, tmp_path: Path, set_labels: Callable) -> None:
    import shutil

    classes = shutil.copytree(labelled, tmp_path / "classes")
    set_labels(classes, lambda labels: [[name, 0] for name, _ in labels])
    with pytest.raises(ValueError, match="one kind"):
        Recipe([labelled, classes], labels=True)
    assert Recipe([labelled, classes]).num_faces == 12
