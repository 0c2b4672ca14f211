"""Reading Deep3DFaceRecon's .mat files and finding them: real values, real names, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from scipy.sparse import coo_array

from facegen.data.layouts.celebahq import TERMS
from facegen.data.layouts.deep3d_files import ANGLE, TRANS, annotate, parse
from facegen.data.layouts.layout import Annotations, Place
from facegen.geometry.cameras import from_coefficients, theta_phi
from facegen.morphable.formats.reconstructions import SIZES, Reconstruction
from tests.data.samples.deep3d import random_values, write_mat
from tests.geometry.reference import reference_file

RECONSTRUCTION, CAMERAS = reference_file("golden3d/04_real_recon.npz"), reference_file("golden3d/05_cameras.npz")
no_reference = pytest.mark.skipif(not RECONSTRUCTION.exists(), reason=f"reference numbers not found: {RECONSTRUCTION}")


def _arrays(path: Path) -> dict[str, NDArray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _annotate(home: Path, ids: list[str], dataset: str = "celebahq") -> Annotations:
    return annotate(Place(home / "images", home), ids, dataset, TERMS)


def _parsed(path: Path) -> Reconstruction:
    result = parse(path.read_bytes())
    assert isinstance(result, Reconstruction), result
    return result


@pytest.mark.parity
@no_reference
def test_a_published_file_is_read_back_exactly(tmp_path: Path) -> None:
    real = _arrays(RECONSTRUCTION)
    name = f"{real['name']}"
    write_mat(tmp_path / "coeff" / f"{name}.mat", {key: real[key] for key in (*SIZES, "lm68")})
    columns, problems = _annotate(tmp_path, [str(int(name))])
    assert not problems
    np.testing.assert_array_equal(np.float32(columns["coefficients"].to_pylist()), real["coeffs"])
    np.testing.assert_array_equal(np.float32(columns["lm68_224"].to_pylist()), real["lm68"].reshape(1, 136))


@pytest.mark.parity
@no_reference
def test_pose_columns_are_those_of_eg3d_labels(tmp_path: Path) -> None:
    """Every angle and translation of 05, written as a .mat: the camera read back is EG3D's, at the README's 2e-6."""
    arrays = _arrays(CAMERAS)
    count = len(arrays["angle"])
    for row in range(count):
        pose = {name: arrays[name][row : row + 1] for name in ("angle", "trans")}
        write_mat(tmp_path / "coeff" / f"{row}.mat", {**random_values(row), **pose})
    columns, problems = _annotate(tmp_path, [str(row) for row in range(count)])
    assert not problems
    found = torch.tensor(columns["coefficients"].to_pylist(), dtype=torch.float64)
    cameras = from_coefficients(found[:, ANGLE], found[:, TRANS])
    np.testing.assert_allclose(cameras.numpy(), arrays["eg3d_orig"], rtol=0, atol=2e-6)
    expected = theta_phi(torch.from_numpy(arrays["eg3d_orig"])).numpy()
    angles = np.stack([columns[name].to_numpy(zero_copy_only=False) for name in ("theta", "phi")], axis=1)
    np.testing.assert_allclose(angles, expected, rtol=0, atol=2e-6)


def test_order_of_the_257(tmp_path: Path) -> None:
    values = random_values(3)
    found = _parsed(write_mat(tmp_path / "a.mat", values))
    np.testing.assert_array_equal(found.coefficients[224:227], values["angle"][0])
    np.testing.assert_array_equal(found.coefficients[144:224], values["tex"][0])
    assert found.coefficients.shape == (257,) and found.landmarks.shape == (68, 2)


def test_compressed_files_and_other_variables(tmp_path: Path) -> None:
    values = random_values(3)
    savemat(
        tmp_path / "a.mat", {**values, "note": "anything", "cell": np.array([{}, "x"], object)}, do_compression=True
    )
    np.testing.assert_array_equal(_parsed(tmp_path / "a.mat").landmarks, values["lm68"][0])


def test_files_are_matched_by_number(tmp_path: Path) -> None:
    """Whatever the zeros and the folders; the excluded face (1036) has none, and nobody misses it."""
    ids = ["7", "1036", "2", "29999"]
    for number, name in ((7, "00007"), (2, "0/000002"), (29999, "14/029999")):
        write_mat(tmp_path / "coeff" / f"{name}.mat", random_values(number))
    for folder in ("images", "rendered"):
        (tmp_path / folder).mkdir()
    for name in ("000002.png", "7.png", "29999.png"):
        (tmp_path / "rendered" / name).write_bytes(b"")
    columns, problems = _annotate(tmp_path, ids)
    assert not problems
    assert columns["coefficients"].is_null().to_pylist() == [False, True, False, False]
    assert columns["theta"].is_null().to_pylist() == columns["lm68_224"].is_null().to_pylist()
    coefficients = np.array(columns["coefficients"][3].as_py(), np.float32)
    np.testing.assert_array_equal(coefficients[80:144], random_values(29999)["exp"][0])
    assert columns["render"].to_pylist() == [
        "../rendered/7.png", None, "../rendered/000002.png", "../rendered/29999.png",
    ]  # fmt: skip


def test_nothing_is_expected_without_the_folders(tmp_path: Path) -> None:
    assert _annotate(tmp_path, ["1", "2"]) == Annotations({}, [])


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    for name in ("00001", "000001", "00005", "mean"):
        write_mat(tmp_path / "mats" / f"{name}.mat", random_values(0))
    _, problems = _annotate(tmp_path, ["1", "3"])
    assert {(p.kind, p.id) for p in problems} == {
        ("unexpected file", "mats/00001.mat"),
        ("unexpected file", "mats/00005.mat"),
        ("unexpected file", "mats/mean.mat"),
        ("missing file", "mats/3.mat"),
    }
    assert any(TERMS.home in p.detail for p in problems if p.kind == "missing file")


def _changed(path: Path, **values: Any) -> None:
    content = {**random_values(0), **values}
    write_mat(path, {name: value for name, value in content.items() if value is not None})


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:700]), "not a readable MATLAB file of 700 bytes"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty (0 bytes)"),
    "a web page": (lambda path: path.write_text("<html>quota exceeded</html>"), "not a readable MATLAB file"),
    "version 7.3": (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(512)), "HDF"),
    "huge": (lambda path: path.write_bytes(bytes(2 << 20)), "bytes, expected some thousands"),
    "gone": (lambda path: (path.unlink(), path.symlink_to("nowhere")), "cannot be read: No such file"),
    "no exp": (lambda path: _changed(path, exp=None), "no variable 'exp'"),
    "no landmarks": (lambda path: _changed(path, lm68=None), "'lm68' must be 68 finite pairs"),
    "five landmarks": (lambda path: _changed(path, lm68=np.zeros((1, 5, 2))), "'lm68' must be 68 finite pairs"),
    "another model": (lambda path: _changed(path, id=np.zeros((1, 100))), "'id' must be 80 numbers, got 100"),
    "sparse": (lambda path: _changed(path, id=coo_array(np.ones((1, 80)))), "'id' must be 80 numbers"),
    "text": (lambda path: _changed(path, tex="x" * 80), "'tex' must be 80 numbers"),
    "not finite": (lambda path: _changed(path, trans=np.array([[0, np.nan, 0]])), "'trans' is not finite"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_named_and_the_others_are_read(fault: str, tmp_path: Path) -> None:
    for number in range(3):
        write_mat(tmp_path / "coeff" / f"{number:05d}.mat", random_values(number))
    damage, words = BAD[fault]
    damage(tmp_path / "coeff" / "00001.mat")
    columns, problems = _annotate(tmp_path, ["0", "1", "2"])
    assert [(p.kind, p.id) for p in problems] == [("malformed coefficients", "coeff/00001.mat")]
    assert words in problems[0].detail and "\n" not in problems[0].detail
    assert columns["coefficients"].is_null().to_pylist() == columns["phi"].is_null().to_pylist() == [False, True, False]
