"""FFHQ and FFHQ-EG3D: where their images are, what is read beside them, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegen.data import Recipe
from facegen.data.index import build_index
from facegen.data.layouts import find
from facegen.data.lists import excluded
from facegen.data.sources import open_source
from facegen.geometry.cameras import theta_phi
from tests.data.helpers import noise
from tests.data.samples.deep3d import random_values, write_mat
from tests.data.samples.ffhq import EXCLUDED, NUMBERS, make_ffhq, make_ffhq_eg3d, zip_folder

IDS = [f"{number:05d}" for number in NUMBERS]


def _kinds(problems: object) -> set[tuple[str, str]]:
    return {(problem.kind, problem.id) for problem in problems}  # type: ignore[attr-defined]


def test_ffhq_as_published(tmp_path: Path) -> None:
    home = make_ffhq(tmp_path)
    indexed = build_index(home)
    rows, metadata = indexed.rows, json.loads((home / "ffhq-dataset-v2.json").read_text())
    assert indexed.source.kind == "ffhq" and indexed.problems == [] and rows["id"].to_pylist() == IDS
    assert rows["author"].to_pylist() == [f"Author {number}" for number in NUMBERS]
    assert set(rows["license"].to_pylist()) == {"Attribution License"}
    assert rows["photo_url"][3].as_py() == metadata["1000"]["metadata"]["photo_url"]
    assert rows["split"].to_pylist() == ["train"] * 6 + ["validation"] * 4
    landmarks = np.float32(metadata["31007"]["image"]["face_landmarks"]).ravel()
    np.testing.assert_array_equal(np.float32(rows["landmarks"][NUMBERS.index(31007)].as_py()), landmarks)
    for name in ("coefficients", "lm68_224", "theta", "yaw_degrees", "render"):
        assert rows[name].is_null().to_pylist() == [name == EXCLUDED for name in IDS], name
    assert "camera" not in rows.column_names
    render = indexed.source.root / rows["render"][0].as_py()
    assert render.resolve() == home / "rendered" / "00000.png" and render.is_file()
    assert build_index(home).version is None


def test_the_images_alone_are_ffhq_too(tmp_path: Path) -> None:
    home = make_ffhq(tmp_path, cleaned=False)
    for part in ("images1024x1024", "thumbnails128x128"):
        layout, place = find(home / part)
        assert (layout.name, place.images, place.home) == ("ffhq", home / part, home)
    flat = tmp_path / "my_FFHQ"
    flat.mkdir()
    for path in (home / "images1024x1024").rglob("*.png"):
        shutil.copy(path, flat)
    assert open_source(flat).kind == "ffhq" and open_source(flat).rows["id"].to_pylist() == IDS
    assert find(flat.rename(tmp_path / "faces"))[0].name == "folder"  # five digits are anybody's


def test_landmarks_need_images_of_the_published_size(tmp_path: Path) -> None:
    rows = build_index(make_ffhq(tmp_path, cleaned=False) / "thumbnails128x128").rows
    assert "author" in rows.column_names and "landmarks" not in rows.column_names


def test_photographs_in_the_wild_are_not_faces(tmp_path: Path) -> None:
    home = make_ffhq(tmp_path, cleaned=False)
    wild = (home / "images1024x1024").rename(home / "in-the-wild-images")
    shutil.rmtree(home / "thumbnails128x128")
    assert find(wild)[0].name == find(home)[0].name == "folder"


def test_images_with_a_dataset_json_stay_a_folder_with_labels(tmp_path: Path) -> None:
    """Somebody's classes, or EG3D's crops before they are mirrored."""
    home = make_ffhq(tmp_path, cleaned=False, metadata=False)
    (home / "images1024x1024" / "dataset.json").write_text('{"labels": [["00000/00000.png", 3]]}')
    assert open_source(home / "images1024x1024").kind == "nvidia_folder"


def test_an_index_is_out_of_date_when_the_metadata_changes(tmp_path: Path) -> None:
    home = make_ffhq(tmp_path)
    build_index(home)
    assert open_source(home).problems == ()
    write_mat(home / "coeff" / f"{EXCLUDED}.mat", random_values(9))
    assert [p.kind for p in open_source(home).problems] == ["index out of date"]
    assert build_index(home).rows["coefficients"].null_count == 0


def test_checksums_find_an_image_that_was_changed(tmp_path: Path) -> None:
    home = make_ffhq(tmp_path)
    layout, place = find(home)
    assert list(layout.inspect(place, IDS)) == []
    shorter, other = (home / "images1024x1024" / name for name in ("00000/00999.png", "01000/01000.png"))
    shorter.write_bytes(shorter.read_bytes()[:-9])
    other.write_bytes(other.read_bytes()[:-9] + b"different")
    found = list(layout.inspect(place, IDS))
    assert _kinds(found) == {("not as published", str(shorter)), ("not as published", str(other))}
    assert "bytes, ffhq-dataset-v2.json says" in found[0].detail and found[1].detail.startswith("MD5 ")
    thumbnail = home / "thumbnails128x128" / "69000" / "69999.png"
    thumbnail.write_bytes(b"none")
    assert len(list(layout.inspect(find(thumbnail.parents[1])[1], IDS))) == 1


@pytest.mark.parametrize("own_names", [False, True])
def test_ffhq_eg3d_has_cameras_and_their_angles_in_double_precision(own_names: bool, tmp_path: Path) -> None:
    home = make_ffhq_eg3d(tmp_path, own_names=own_names)
    labels = json.loads((home / "dataset.json").read_text())["labels"]
    source = open_source(home)
    assert source.kind == "ffhq_eg3d" and source.problems == ()
    assert source.rows["id"].to_pylist() == [name.removesuffix(".png") for name, _ in labels]
    values = torch.tensor([values for _, values in labels], dtype=torch.float64)
    np.testing.assert_array_equal(np.float32(source.rows["camera"].to_pylist()), values.float().numpy())
    np.testing.assert_array_equal(source.rows["theta"].to_numpy(), theta_phi(values)[:, 0].numpy())
    np.testing.assert_array_equal(source.rows["phi"].to_numpy(), theta_phi(values)[:, 1].numpy())


def test_ffhq_eg3d_zip(tmp_path: Path) -> None:
    path = zip_folder(make_ffhq_eg3d(tmp_path), tmp_path / "FFHQ_512.zip")
    source = open_source(path)
    assert (source.kind, len(source.rows), source.problems) == ("ffhq_eg3d", 10, ())
    assert source.rows["camera"].null_count == 0


@pytest.mark.parametrize("own_names", [False, True])
def test_cameras_from_lpff(own_names: bool, tmp_path: Path) -> None:
    """dataset-ffhq.json instead of dataset.json, and images in folders that it does not name."""
    home = make_ffhq_eg3d(tmp_path, own_names=own_names)
    (home / "dataset.json").rename(home / "dataset-ffhq.json")
    if own_names:
        (home / "00000").mkdir()
        for path in home.glob("*.png"):
            path.rename(home / "00000" / path.name)
    home = home.rename(tmp_path / "PATH")
    source = open_source(home)
    assert (source.kind, source.problems) == ("ffhq_eg3d", ())
    assert source.rows["camera"].null_count == 0
    content = json.loads((home / "dataset-ffhq.json").read_text())
    (home / "dataset-ffhq.json").write_text(json.dumps({"labels": content["labels"][1:]}))
    problems = open_source(home).problems
    assert [(p.kind, p.detail) for p in problems] == [("missing label", "not in dataset-ffhq.json")]


def test_names_do_not_make_ffhq_eg3d(tmp_path: Path) -> None:
    """StyleGAN's zip of FFHQ has the same layout without cameras; other people's NVIDIA zips have other faces."""
    home = make_ffhq_eg3d(tmp_path)
    elsewhere = home.rename(tmp_path / "AFHQ_512")
    assert open_source(elsewhere).kind == "nvidia_folder"
    (elsewhere / "dataset.json").write_text('{"labels": null}')
    assert open_source(zip_folder(elsewhere, tmp_path / "ffhq-512.zip")).kind == "nvidia_zip"


def test_foreign_names_are_told(tmp_path: Path) -> None:
    home = make_ffhq(tmp_path)
    Image.fromarray(noise(64, 0)).save(home / "images1024x1024" / "00000" / "01000.png")
    (home / "images1024x1024.zip.part").write_bytes(b"")
    found = _kinds(build_index(home).problems)
    assert found == {("unexpected file", "00000/01000.png"), ("unexpected file", "images1024x1024.zip.part")}


def test_lists_of_whole_datasets_serve_parts_of_them(tmp_path: Path) -> None:
    """A partial download lacks most excluded ids; in a plain folder every id of a list must exist."""
    root = make_ffhq(tmp_path)
    kept = Recipe({"root": root, "exclude": "pkg:ffhq_excluded"}, 64).rows["id"].to_pylist()
    assert kept == [name for name in IDS if f"{name}.jpg" not in excluded("ffhq")] and len(kept) < len(IDS)
    with pytest.raises(ValueError, match=r"of 900 exclude do not exist"):
        Recipe({"root": root / "images1024x1024", "layout": "folder", "exclude": "pkg:ffhq_excluded"}, 64)
