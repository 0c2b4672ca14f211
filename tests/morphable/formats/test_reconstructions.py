"""Coefficient files: written and read, of several models, and what is refused (reading beside images: tests/data)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from facegen.geometry.alignment_points import flip_rows
from facegen.geometry.perspective import DEEP3D
from facegen.morphable.coefficients import Layout
from facegen.morphable.formats import load_model, read_reconstruction, write_reconstruction
from tests.morphable.formats.samples import bfm_variables, write_variables

_SHAPE = {"id": 80, "exp": 64, "tex": 80}
HIFI3D = Layout(532, 45, 439)


@pytest.fixture
def face(rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    return rng.normal(size=257).astype(np.float32), rng.uniform(0, 224, (68, 2)).astype(np.float32)


def test_what_is_written_is_read_back(tmp_path: Path, face: tuple[NDArray, NDArray]) -> None:
    write_reconstruction(tmp_path / "a.mat", *face)
    found = read_reconstruction(tmp_path / "a.mat")
    np.testing.assert_array_equal(found.coefficients, face[0])
    np.testing.assert_array_equal(found.landmarks, face[1])
    stored = {name: value for name, value in loadmat(tmp_path / "a.mat").items() if not name.startswith("__")}
    assert {name: value.shape for name, value in stored.items()} == {
        "id": (1, 80),
        "exp": (1, 64),
        "tex": (1, 80),
        "angle": (1, 3),
        "gamma": (1, 27),
        "trans": (1, 3),
        "lm68": (1, 68, 2),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mat"]


def test_models_with_other_numbers(tmp_path: Path, rng: np.random.Generator, face: tuple[NDArray, NDArray]) -> None:
    row = rng.normal(size=HIFI3D.total).astype(np.float32)
    write_reconstruction(tmp_path / "a.mat", row, face[1], HIFI3D)
    np.testing.assert_array_equal(read_reconstruction(tmp_path / "a.mat", HIFI3D).coefficients, row)
    with pytest.raises(ValueError, match=r"a\.mat: 'id' must be 80 numbers, got 532 .*belong to one morphable model"):
        read_reconstruction(tmp_path / "a.mat")
    without = Layout(100, 53, 0)  # ICT-FaceKit: no albedo
    write_reconstruction(tmp_path / "b.mat", np.zeros(without.total), face[1], without)
    assert read_reconstruction(tmp_path / "b.mat", without).coefficients.shape == (186,)


def test_landmarks_of_a_face_as_the_files_count(tmp_path: Path, face: tuple[NDArray, NDArray]) -> None:
    """223 - y of those that the model projects: one row above where a picture with (0, 0) in the corner has them."""
    model = load_model(write_variables(tmp_path / "bfm.mat", bfm_variables()))
    made = model(torch.from_numpy(face[0])[None] * 0.1)
    points = flip_rows(made.landmarks[0].numpy(), DEEP3D.size)
    write_reconstruction(tmp_path / "a.mat", face[0], points)
    read = read_reconstruction(tmp_path / "a.mat").landmarks
    expected = DEEP3D.image_points(made.camera[0, model.landmarks]) - torch.tensor([0.0, 1.0])
    np.testing.assert_allclose(read, expected, atol=1e-3)


WRITING: dict[str, tuple[Callable[[NDArray, NDArray], tuple], str]] = {
    "another model": (
        lambda row, points: (row[:250], points),
        r"got coefficients of shape \(250,\) .*expected \(257",
    ),
    "a batch": (lambda row, points: (row[None], points), r"shape \(1, 257\)"),
    "five landmarks": (lambda row, points: (row, points[:5]), r"landmarks of shape \(5, 2\)"),
    "not fitted": (lambda row, points: (row * np.nan, points), "leave out faces that were not fitted"),
    "landmarks": (lambda row, points: (row, points * np.inf), "numbers that are not finite"),
}


@pytest.mark.parametrize("fault", WRITING)
def test_what_is_not_written(fault: str, tmp_path: Path, face: tuple[NDArray, NDArray]) -> None:
    change, words = WRITING[fault]
    with pytest.raises(ValueError, match=words) as caught:
        write_reconstruction(tmp_path / "a.mat", *change(*face))
    assert "\n" not in str(caught.value) and not (tmp_path / "a.mat").exists()


def _bomb(path: Path) -> None:
    """Small on the disk, 40 MB unpacked."""
    savemat(path, {"id": np.zeros((1, 80)), "x": np.zeros(5_000_000)}, do_compression=True)


READING: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda p: p.unlink(), "cannot be read: No such file"),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "it is a folder"),
    "empty": (lambda p: p.write_bytes(b""), "the file is empty"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:400]), "not a readable MATLAB file"),
    "large": (lambda p: p.write_bytes(bytes(3 << 20)), "bytes, expected some thousands"),
    "a bomb": (_bomb, "its variables unpack to more than 4194304 bytes"),
    "no light": (
        lambda p: savemat(p, {"id": np.zeros(80), "exp": np.zeros(64), "tex": np.zeros(80)}),
        "no variable 'angle'",
    ),
}


@pytest.mark.parametrize("fault", READING)
def test_bad_files_are_named(fault: str, tmp_path: Path, face: tuple[NDArray, NDArray]) -> None:
    path = tmp_path / "a.mat"
    write_reconstruction(path, *face)
    damage, words = READING[fault]
    damage(path)
    with pytest.raises(ValueError, match=words) as caught:
        read_reconstruction(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_coefficients_of_another_model_are_refused(tmp_path: Path) -> None:
    model = load_model(write_variables(tmp_path / "bfm.mat", bfm_variables()))
    with pytest.raises(ValueError, match=r"got shape \(1, 1049\), expected \(N, 257\) for this morphable model"):
        model(torch.zeros(1, HIFI3D.total))
