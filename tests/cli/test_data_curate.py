"""`facegen data curate` as it is typed."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data import table
from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.procedural import load_head
from tests.cli.conftest import Facegen
from tests.curation.conftest import write_coarse_model

needs_dlib = pytest.mark.skipif(
    importlib.util.find_spec("dlib") is None or importlib.util.find_spec("face_recognition_models") is None,
    reason="dlib is an optional extra: pip install 'facegen[curate]'",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs/ of two rendered heads and a picture of nothing, and head.safetensors."""
    path, cache = tmp_path_factory.mktemp("curate"), tmp_path_factory.mktemp("cache")
    head = load_head(cache, 0.3)
    write_coarse_model(cache, path / "head.safetensors")
    (path / "photographs").mkdir()
    for number in range(2):
        face = make_face(head, Settings(3, 192, "ffhq", 0.3), number).picture.image
        canvas = np.full((320, 360, 3), 120, np.uint8)
        canvas[60:252, 80:272] = face
        Image.fromarray(canvas).save(path / "photographs" / f"head{number}.png")
    Image.new("RGB", (200, 200), "grey").save(path / "photographs" / "wall.png")
    return path


@needs_dlib
def test_from_photographs_to_an_index(facegen: Facegen, place: Path, tmp_path: Path) -> None:
    words = [
        "data",
        "curate",
        f"root={place / 'photographs'}",
        f"out={tmp_path / 'out'}",
        f"morphable={place / 'head.safetensors'}",
    ]
    words += ["workers=0", "stylegan_size=64", "min_size=100", "min_sharpness=0"]
    status, out, err = facegen(*words)
    assert status == 0 and "3 photographs, 2 faces found, 2 kept, 0 rejected" in out, err
    assert "exclude commercial use" in out and "1 photographs  no face" in out
    index = table.read(tmp_path / "out" / "crop" / "eg3d" / "faces.lance")
    assert index["id"].to_pylist() == ["head0_01", "head1_01"]
    assert index["camera_method"][0].as_py() == "coarse head, fitted to landmarks"
    status, out, _ = facegen(*words)
    assert status == 0 and out.startswith("nothing to do: ") and "commercial" not in out


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["out=out"], "root is missing"),
        (["root=nowhere", "out=out"], "nowhere does not exist"),
        (["root=photographs", "out=photographs/out"], "lies in the folder of the photographs"),
        (["root=photographs", "out=out", "detector=retina"], "expected one of: dlib, mediapipe"),
        (["root=photographs", "out=out", "engine=spark"], "engine: got 'spark'"),
        (["root=photographs", "out=out", "stages=[index]"], "expected the first ones of detect"),
        (["root=photographs", "out=out", "max_density=0.4"], "belong together"),
        (["root=photographs", "out=out", "morphable=photographs/wall.png"], "wall.png"),
        (["root=photographs", "out=out", "morphable=nowhere.mat"], "morphable: nowhere.mat does not exist"),
        (["root=photographs", "out=out", "min_size=big"], "min_size"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], place: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], answer: str
) -> None:
    monkeypatch.chdir(place)
    given = [] if any(word.startswith("morphable=") for word in words) else ["morphable=head.safetensors"]
    assert answer in refused("data", "curate", *words, *given)
    assert not Path("out").exists()
