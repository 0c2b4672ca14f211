import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen.data.layouts.ffhq_uv import FFHQ_UV, FFHQ_UV_INTERPOLATE
from tests.data.layouts.checks import Damage, assert_named, damages, findings, ids_of, place_of, truncate
from tests.data.samples.ffhq_uv import make_ffhq_uv, make_project

META = "meta-info.json"


def test_everything_that_ships_becomes_a_column(tmp_path: Path) -> None:
    home = make_ffhq_uv(tmp_path)
    place = place_of(FFHQ_UV, home)
    assert place == (home / "uv-maps", home) and findings(FFHQ_UV, home) == []
    for path in (home / "uv-maps", home.parent, tmp_path / "FFHQ-UV"):
        assert FFHQ_UV.locate(path) == place
    ids = ids_of(FFHQ_UV, place)
    columns, _ = FFHQ_UV.annotate(place, ids[::-1])
    assert columns.keys() == {"gender", "age", "beard", "ffhq", "latent"}
    assert columns["gender"].to_pylist()[::-1] == ["female", "male"] * 3
    assert columns["age"].to_pylist()[::-1] == [20, 21, 22, 23, 24, 25]
    np.testing.assert_allclose(columns["beard"].to_pylist()[::-1], 0.1 * np.arange(6), rtol=1e-6)
    assert columns["ffhq"].to_pylist()[::-1] == [11780, 11787, None, 11801, 11808, None]
    for name, path in zip(ids[::-1], columns["latent"].to_pylist(), strict=True):
        assert (place.images / path).resolve().name == f"{name}_front_latent.pt" and (place.images / path).exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_light_and_attributes_follow_the_photograph(tmp_path: Path, zipped: bool) -> None:
    home = make_ffhq_uv(tmp_path)
    make_project(home, zipped)
    place = place_of(FFHQ_UV, home)
    columns, problems = FFHQ_UV.annotate(place, ids_of(FFHQ_UV, place))
    assert not problems
    for row, index in enumerate([11780, 11787, None, 11801, 11808, None]):
        light, attributes = columns["light"][row].as_py(), columns["attributes"][row].as_py()
        if index is None:
            assert light is None and attributes is None
            continue
        np.testing.assert_allclose(light, np.random.default_rng(index).normal(size=9), rtol=1e-6)
        np.testing.assert_allclose(attributes, index / 10 + np.arange(8), rtol=1e-6)


def test_a_photograph_whose_inversion_failed_has_neither(tmp_path: Path) -> None:
    home = make_ffhq_uv(tmp_path)
    project = make_project(home, zipped=False)
    for name in ("lights/11787.npy", "attributes/11787.json"):
        (project / name).unlink()
    columns, problems = FFHQ_UV.annotate(place_of(FFHQ_UV, home), ["000000", "000001"])
    assert [problem.kind for problem in problems] == ["entry without image"] + ["unexpected file"] * 4  # only two ids
    assert [columns[name][1].as_py() for name in ("light", "attributes")] == [None, None]


def test_names_of_faces() -> None:
    names = {"000123.png": "000123", "012/012345.png": "012345", "013/012345.png": None, "123.png": None, "x.png": None}
    assert {name: FFHQ_UV.face_id(name) for name in names} == names


def test_the_interpolated_faces_are_a_dataset_of_their_own(tmp_path: Path) -> None:
    home = make_ffhq_uv(tmp_path, name="ffhq-uv-interpolate")
    content = {name: {**entry, "Index-in-FFHQ": None} for name, entry in _content(home).items()}
    (home / META).write_text(json.dumps(content))
    assert FFHQ_UV.locate(home) is None and findings(FFHQ_UV_INTERPOLATE, home) == []
    assert FFHQ_UV_INTERPOLATE.locate(home / "uv-maps") == (home / "uv-maps", home)
    assert FFHQ_UV_INTERPOLATE.locate(make_ffhq_uv(tmp_path)) is None


def test_folders_of_a_thousand(tmp_path: Path) -> None:
    home = make_ffhq_uv(tmp_path, faces=2)
    (home / "uv-maps" / "000").mkdir()
    for path in list((home / "uv-maps").glob("*.png")):
        path.rename(path.parent / "000" / path.name)
    place = place_of(FFHQ_UV, home)
    assert ids_of(FFHQ_UV, place) == ["000000", "000001"] and findings(FFHQ_UV, home) == []


def _content(home: Path) -> dict[str, Any]:
    return json.loads((home / META).read_text())


def _edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def act(home: Path) -> None:
        content = _content(home)
        change(content)
        (home / META).write_text(json.dumps(content))

    return act


def _entry(**values: Any) -> Callable[[Path], None]:
    return _edit(lambda content: content["000001"].update(values))


def _shift(content: dict[str, Any]) -> None:
    entries = dict(content)
    content.clear()
    content.update({f"{int(name) + 50:06d}": entry for name, entry in entries.items()})


LATENT = "face-latents/000/000001/000001_front_latent.pt"


@damages(
    {
        "no meta-info": Damage(
            lambda home: (home / META).unlink(), "missing file", META, "gender, age and beard of each face"
        ),
        "half of meta-info": Damage(lambda home: truncate(home / META), "malformed file", META, "not a JSON file"),
        "a list": Damage(lambda home: (home / META).write_text("[]"), "malformed file", META, "expected an object"),
        "another release": Damage(_edit(_shift), "another release", META, "it has '000050', the faces '000000'"),
        "face without entry": Damage(
            _edit(lambda content: content.pop("000001")), "missing entry", "000001", "not in meta-info.json"
        ),
        "entry without face": Damage(
            _edit(lambda content: content.update({"000050": content["000000"]})), "entry without image", META, "000050"
        ),
        "gender in words": Damage(
            _entry(Gender="male"), "malformed entry", "meta-info.json:000001", "Gender (0 or 1)"
        ),
        "empty entry": Damage(
            _edit(lambda content: content.update({"000001": None})),
            "malformed entry", "meta-info.json:000001", "got None",
        ),
        "no age": Damage(_entry(Age=None), "malformed entry", "meta-info.json:000001", "expected Age"),
        "index beyond FFHQ": Damage(
            _entry(**{"Index-in-FFHQ": 70000}), "malformed entry", "meta-info.json:000001", "or null, got 70000"
        ),
        "missing latent": Damage(
            lambda home: (home / LATENT).unlink(),
            "missing file", "face-latents/000001_front_latent.pt", "github.com/csbhr/FFHQ-UV",
        ),
        "latent of nobody": Damage(
            lambda home: (home / "face-latents/000/000077_front_latent.pt").touch(),
            "unexpected file", "face-latents/000077_front_latent.pt", "no such face",
        ),
        "no latents": Damage(
            lambda home: (home / "face-latents").rename(home.parent / "elsewhere"),
            "missing file", "face-latents", "three views",
        ),
        "other folder": Damage(lambda home: (home / "uv").mkdir(), "unexpected file", "uv", "no part of FFHQ-UV"),
    }
)  # fmt: skip
def test_damage_is_named(tmp_path: Path, damage: Damage) -> None:
    assert_named(FFHQ_UV, make_ffhq_uv(tmp_path, faces=3), damage)


def _project(name: str, data: bytes) -> Callable[[Path], Any]:
    return lambda home: (home.parent.parent / "dataset_project" / name).write_bytes(data)


@damages(
    {
        "half an array": Damage(
            _project("lights/11787.npy", b"\x93NUMPY\x01"), "malformed lights", "lights/11787.npy", "damaged .npy file"
        ),
        "attributes of words": Damage(
            _project("attributes/11787.json", b'{"Age": "old"}'),
            "malformed attributes", "attributes/11787.json", "expected the numbers Age, ",
        ),
        "attributes without yaw": Damage(
            _project("attributes/11787.json", b'{"Age": 3, "Baldness": 0, "Beard": 0, "Expression": 0, "Gender": 0, '
                                              b'"Glasses": 0, "Pitch": 0}'),
            "malformed attributes", "attributes/11787.json", "'Yaw'",
        ),
    }
)  # fmt: skip
def test_damage_to_the_project_is_named(tmp_path: Path, damage: Damage) -> None:
    home = make_ffhq_uv(tmp_path)
    make_project(home, zipped=False)
    assert_named(FFHQ_UV, home, damage)


def test_half_downloaded_and_hostile_zips(tmp_path: Path) -> None:
    home = make_ffhq_uv(tmp_path)
    project = make_project(home)
    truncate(project / "lights.zip")
    with zipfile.ZipFile(project / "attributes.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../11780.json", b"0" * (1 << 20))
    problems = findings(FFHQ_UV, home)
    assert [(problem.kind, problem.id) for problem in problems] == [
        ("malformed file", "lights.zip"), ("malformed attributes", "attributes.zip/../../11780.json"),
    ]  # fmt: skip
    assert "download it again" in problems[0].detail and "1048576 bytes, expected at most" in problems[1].detail
    assert not list(tmp_path.rglob("11780.json"))
