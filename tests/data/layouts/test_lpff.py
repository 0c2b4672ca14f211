"""LPFF: two crops of the same faces, keyed by face id, and its sibling."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facegen.data.index import build_index
from facegen.data.layouts import find
from facegen.data.sources import open_source
from facegen.geometry.cameras import theta_phi
from tests.data.samples.lpff import face_ids, make_lpff

POSE = ["theta", "phi", "yaw_degrees", "pitch_degrees"]


@pytest.mark.parametrize("packed", [True, False])
def test_eg3d_crop(packed: bool, tmp_path: Path) -> None:
    home = make_lpff(tmp_path, packed=packed)
    indexed = build_index(home, "lpff_eg3d")
    rows, ids = indexed.rows, face_ids(6)
    content = {name: json.loads((home / f"{name}.json").read_text()) for name in ("camera_parameters", "raw_lm")}
    assert indexed.problems == [] and rows["id"].to_pylist() == sorted(ids) == ids
    cameras = torch.tensor([content["camera_parameters"][name] for name in ids], dtype=torch.float64)
    np.testing.assert_array_equal(np.float32(rows["camera"].to_pylist()), cameras.float().numpy())
    np.testing.assert_array_equal(rows["theta"].to_numpy(), theta_phi(cameras)[:, 0].numpy())
    np.testing.assert_array_equal(rows["phi"].to_numpy(), theta_phi(cameras)[:, 1].numpy())
    expected = np.array([content["raw_lm"][name] for name in ids], np.float32).reshape(6, 136)
    np.testing.assert_array_equal(np.float32(rows["landmarks_raw"].to_pylist()), expected)
    assert rows["landmarks_realign2400"].null_count == 0


def test_several_faces_of_one_photograph(tmp_path: Path) -> None:
    rows = build_index(make_lpff(tmp_path), "lpff_eg3d").rows
    photos = rows["photo"].to_pylist()
    assert [name.rpartition("_")[0] for name in rows["id"].to_pylist()] == photos and len(set(photos)) == 4
    assert set(rows["license"].to_pylist()) == {"Attribution License"}
    assert rows["author"].to_pylist()[1] == rows["author"].to_pylist()[2] == "someone21795165007"
    assert rows["photo_url"][0].as_py() == "https://www.flickr.com/photos/100004356@N06/21795165006/"


def test_the_stylegan_crop_has_the_pose_without_the_camera(tmp_path: Path) -> None:
    home = make_lpff(tmp_path)
    eg3d, stylegan = (build_index(home, f"lpff_{crop}").rows for crop in ("eg3d", "stylegan"))
    assert "camera" not in stylegan.column_names and stylegan["width"].to_pylist() == [128] * 6
    assert stylegan.select(POSE).equals(eg3d.select(POSE))


def test_which_crop_has_to_be_said(tmp_path: Path) -> None:
    home = make_lpff(tmp_path)
    with pytest.raises(ValueError, match=r"several datasets; choose one: layout=lpff_eg3d .*layout=lpff_stylegan"):
        open_source(home)
    assert open_source(home / "crop" / "eg3d.zip").kind == "lpff_eg3d"
    assert open_source(home / "crop" / "stylegan.zip").kind == "lpff_stylegan"


def test_a_zip_beside_the_files_and_a_folder_inside_it(tmp_path: Path) -> None:
    home = make_lpff(tmp_path, packed=False)
    (home / "crop" / "stylegan").rename(tmp_path / "elsewhere")
    inner = home / "crop" / "eg3d" / "eg3d"
    inner.mkdir()
    for path in inner.parent.glob("*.png"):
        path.rename(inner / path.name)
    (home / "crop" / "eg3d").rename(home / "eg3d")
    layout, place = find(home)
    assert (layout.name, place.images, place.home) == ("lpff_eg3d", home / "eg3d", home)
    assert open_source(home).rows["id"].to_pylist() == face_ids(6)


def test_unsplash_pexels(tmp_path: Path) -> None:
    home = make_lpff(tmp_path, unsplash=True)
    indexed = build_index(home, "lpff_eg3d")
    assert indexed.problems == []
    assert indexed.rows["photo"][1].as_py() == "guess-attic-girl-1"
    assert indexed.rows["photo_url"][1].as_py() == "https://images.pexels.com/photos/34525/guess-attic-girl-1.jpg"
    assert indexed.rows["license"].null_count == indexed.rows["author"].null_count == 6


def test_other_zips_named_eg3d_are_not_lpff(tmp_path: Path) -> None:
    home = make_lpff(tmp_path)
    moved = (home / "crop" / "eg3d.zip").rename(tmp_path / "eg3d.zip")
    assert find(moved)[0].name == "folder"


def test_an_index_is_out_of_date_when_a_file_changes(tmp_path: Path) -> None:
    home = make_lpff(tmp_path)
    build_index(home, "lpff_eg3d")
    content = json.loads((home / "info.json").read_text())
    content[face_ids(1)[0]]["image_info"]["username"] = "somebody else entirely"
    (home / "info.json").write_text(json.dumps(content))
    assert [p.kind for p in open_source(home, "lpff_eg3d").problems] == ["index out of date"]
    assert build_index(home, "lpff_eg3d").rows["author"][0].as_py() == "somebody else entirely"
