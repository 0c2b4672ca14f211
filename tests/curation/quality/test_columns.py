"""The columns of a source: from bare pictures to flags, resumed, and with other limits."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facegen.curation.columns import Added, add_columns
from facegen.curation.quality.flags import LIMITS, flagged, flags_group, named_limits
from facegen.curation.quality.landmarks import landmarks_group
from facegen.curation.quality.stages import occlusion_group, quality_group
from facegen.data import table
from facegen.data.flags import FLAGS
from tests.curation.conftest import Truth, save
from tests.curation.sidecar import sidecar_models


@pytest.fixture
def source(large: list[Truth], tmp_path: Path) -> Path:
    first = large[0]
    save(tmp_path / "clean.png", first.image, [first.landmarks])
    save(tmp_path / "soft.png", cv2.GaussianBlur(first.image, (0, 0), 4), [first.landmarks])
    grey = np.repeat(cv2.cvtColor(first.image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    save(tmp_path / "grey.png", grey, [first.landmarks])
    half = 128
    save(tmp_path / "cut.png", np.ascontiguousarray(first.image[:half]), [first.landmarks])
    pair = np.concatenate([first.image, large[1].image], axis=1)
    save(tmp_path / "pair.png", pair, [first.landmarks, large[1].landmarks + np.array([256, 0])])
    save(tmp_path / "empty.png", np.full((64, 64, 3), 90, np.uint8), [])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


def _describe(source: Path, **limits: float) -> Added:
    flags = flags_group(named_limits(limits))
    groups = [landmarks_group(sidecar_models()), quality_group(), occlusion_group(), flags]
    return add_columns(source, groups, workers=0)


def test_bare_pictures_are_measured_and_flagged(source: Path) -> None:
    added = _describe(source)
    rows = {row["id"]: row for row in table.read(source / "faces.lance").to_pylist()}
    problems = {name: dict(found) for name, found in added.problems.items()}
    assert problems["landmarks"]["empty"] == "no face" and problems["landmarks"]["broken"].startswith("unreadable")
    assert list(problems["quality"]) == list(problems["occlusion"]) == ["broken"]
    assert not {"blurred", "grey", "cut_off", "several_people"} & set(rows["clean"]["flags"])
    assert "blurred" in rows["soft"]["flags"] and rows["soft"]["blur"] == pytest.approx(4, rel=0.4)
    assert rows["soft"]["detail"] < 0.3 * rows["clean"]["detail"]
    assert "grey" in rows["grey"]["flags"] and rows["grey"]["chroma"] < 0.5
    assert "several_people" in rows["pair"]["flags"] and rows["pair"]["faces"] >= 2
    assert rows["empty"]["faces"] == 0 and rows["empty"]["occlusion"] is None and rows["empty"]["quality"] is not None
    assert rows["broken"]["faces"] is None and rows["broken"]["flags"] == []


def test_repeated_it_does_nothing_and_other_limits_look_at_no_picture(source: Path) -> None:
    _describe(source)
    (source / "clean.png").unlink()
    save(source / "late.png", np.full((64, 64, 3), 90, np.uint8), [])
    added = _describe(source, blurred=50, grey=0)
    assert added.computed["landmarks"] == added.computed["quality"] == added.computed["occlusion"] == 1
    flags = {row["id"]: row["flags"] for row in table.read(source / "faces.lance", ["id", "flags"]).to_pylist()}
    assert "blurred" not in flags["soft"] and "grey" not in flags["grey"]


def test_landmarks_of_a_dataset_are_taken_and_nothing_is_looked_for(source: Path) -> None:
    _describe(source)
    place = source / "faces.lance"
    rows = table.read(place, ["id", "landmarks68"])
    table.set_columns(place, rows.rename_columns(["id", "landmarks"]))
    for sidecar in source.glob("*.json"):
        sidecar.unlink()
    add_columns(source, [landmarks_group(sidecar_models())], workers=0)
    again = table.read(place, ["landmarks68", "landmarks", "face_boxes"])
    assert again["landmarks68"].equals(again["landmarks"])
    with_landmarks, broken = len(again) - again["landmarks"].null_count, 1
    assert again["face_boxes"].null_count == with_landmarks + broken


def test_what_is_not_known_is_no_reason_and_cameras_come_first() -> None:
    nothing = {name: np.array([np.nan]) for name in ("second_face", "occlusion", "dark_glasses", "hat_area", "outside")}
    nothing |= {name: np.array([np.nan]) for name in ("detail", "chroma", "blur", "head_yaw_degrees")}
    found = flagged(nothing)
    assert set(found) == set(FLAGS) == set(LIMITS._fields) and not any(each[0] for each in found.values())
    turned = flagged(nothing | {"head_yaw_degrees": np.array([-60.0])})
    assert turned["profile"][0]
    assert not flagged(nothing | {"head_yaw_degrees": np.array([-60.0]), "yaw_degrees": np.array([3.0])})["profile"][0]


@pytest.mark.parametrize("settings", [{"blurry": 1}, {"blurred": "much"}, {"grey": True}])
def test_wrong_limits_are_named(settings: dict) -> None:
    name = next(iter(settings))
    with pytest.raises(ValueError, match=f"flags.{name}: got .*expected numbers for some of: several_people"):
        named_limits(settings)
