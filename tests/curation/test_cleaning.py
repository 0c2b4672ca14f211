"""Which faces are kept."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from facegen.curation.cleaning import Limits, duplicates, read_poses, reasons
from facegen.curation.crops import difference_hash
from facegen.curation.faces import face_grey, implausible
from tests.curation.conftest import Truth, spoiled

GOOD: dict[str, Any] = {
    "score": 1.0,
    "crop_side": 400.0,
    "padding": 0.0,
    "reprojection_error": 5.0,
    "sharpness": 200.0,
    "brightness": 0.5,
    "clipped": 0.0,
    "theta": 1.6,
    "phi": 1.5,
}


def table_of(*changes: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"id": f"f{n}_01", **GOOD, **change} for n, change in enumerate(changes)])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"score": -0.1}, "detector unsure"),
        ({"crop_side": 199.0}, "too small"),
        ({"padding": 0.2}, "cut off"),
        ({"reprojection_error": 30.0}, "reprojection error"),
        ({"sharpness": 3.0}, "blurry"),
        ({"brightness": 0.05, "sharpness": 3.0}, "too dark"),
        ({"brightness": 0.95}, "too bright"),
        ({"clipped": 0.6}, "over- or underexposed"),
    ],
)
def test_reasons(change: dict[str, Any], kind: str | None) -> None:
    (found,) = reasons(table_of(change), Limits())
    assert found is None if kind is None else found is not None and found.startswith(f"{kind}: ")
    off: dict[str, Any] = {name: None for name in vars(Limits()) if name != "duplicate_bits"}
    assert reasons(table_of(change), Limits(**off)) == [None]


def test_poses_that_the_other_dataset_has(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "poses.npz", theta=rng.normal(1.57, 0.1, 500), phi=rng.normal(1.48, 0.1, 500))
    faces = table_of({"theta": 1.57, "phi": 1.48}, {"theta": 0.6, "phi": 1.48})
    common, rare = reasons(faces, Limits(max_density=0.4, density_of=str(tmp_path / "poses.npz")))
    assert rare is None and common is not None and common.startswith("common pose: density ")
    np.savez(tmp_path / "other.npz", angles=np.zeros(3))
    with pytest.raises(ValueError, match="no array 'phi'"):
        read_poses(str(tmp_path / "other.npz"))


def test_excluded_by_hand(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("# by Ann\nf1_01   # no face\n\n")
    assert reasons(table_of({}, {}), Limits(exclude=str(tmp_path / "bad.txt"))) == [None, "excluded by hand"]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"max_density": 0.4}, "belong together"),
        ({"min_size": True}, "min_size: got True"),
        ({"min_sharpness": float("nan")}, "min_sharpness"),
        ({"duplicate_bits": 128}, "0 to 127"),
        ({"exclude": "nowhere.txt"}, "exclude: nowhere.txt does not exist"),
    ],
)
def test_limits_that_are_none(change: dict[str, Any], answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        Limits(**change)


def test_duplicates_keep_the_largest_of_a_chain() -> None:
    """b is near a and c; c is near b only. The largest, b, is kept, and neither of the others."""
    bits = np.zeros((4, 256), np.uint8)
    bits[1, :4] = bits[2, :8] = 1
    bits[3, 100:200] = 1
    hashes = [np.packbits(row).tobytes().hex() for row in bits]
    faces = pa.table({"id": list("abcd"), "crop_side": [300.0, 400.0, 200.0, 100.0], "difference_hash": hashes})
    assert duplicates(faces, 5) == {"a": ("b", 4), "c": ("b", 4)}
    assert duplicates(faces, 3) == {} and duplicates(faces, -1) == {}
    same = pa.table({"id": ["y", "x"], "crop_side": [1.0, 1.0], "difference_hash": hashes[:1] * 2})
    assert duplicates(same, 0) == {"y": ("x", 0)}


def test_hash_knows_a_picture_again(faces: list[Truth]) -> None:
    def bits(first: np.ndarray, second: np.ndarray) -> int:
        codes = [np.frombuffer(bytes.fromhex(difference_hash(image)), np.uint8) for image in (first, second)]
        return int(np.unpackbits(codes[0] ^ codes[1]).sum())

    pictures = [cv2.resize(face.image, (512, 512)) for face in faces]
    noisy = pictures[0] + np.random.default_rng(0).normal(0, 6, pictures[0].shape)
    assert bits(pictures[0], np.clip(noisy, 0, 255).astype(np.uint8)) <= 10
    assert bits(pictures[0], cv2.resize(cv2.resize(pictures[0], (200, 200)), (512, 512))) <= 10
    assert min(bits(pictures[0], other) for other in pictures[1:]) > 25


def test_face_at_a_common_size(faces: list[Truth]) -> None:
    small = face_grey(faces[0].image, faces[0].landmarks)
    twice = face_grey(np.asarray(cv2.resize(faces[0].image, (256, 256))), faces[0].landmarks * 2)
    assert small.shape == twice.shape == (192, 192)
    assert np.abs(small.astype(int) - twice).mean() < 6


def test_landmarks_that_no_face_has(faces: list[Truth]) -> None:
    points = faces[0].landmarks
    box = [*points.min(axis=0), *points.max(axis=0)]
    assert implausible(points, box, (128, 128)) is None
    assert "outside the photograph" in str(implausible(points - (70, 0), box, (128, 128)))
    assert "as far apart" in str(implausible(spoiled(points), box, (128, 128)))
    assert "as large as" in str(implausible(points, [edge * 4 for edge in box], (128, 128)))
