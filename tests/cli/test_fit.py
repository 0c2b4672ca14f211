"""`facegen fit` as it is typed: files, tables, reasons, going on, answers to mistakes."""

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from facegen.data import table
from facegen.morphable.formats import load_model, read_reconstruction
from tests.cli.conftest import Facegen
from tests.cli.fit_place import Place, make_place

needs_dlib = pytest.mark.skipif(
    importlib.util.find_spec("dlib") is None or importlib.util.find_spec("face_recognition_models") is None,
    reason="dlib is an optional extra: pip install 'facegen[curate]'",
)
FITTED = ["face0", "face1", "face3"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Faces with landmarks in their table."""
    return make_place(tmp_path_factory.mktemp("fit"))


def words(place: Place, out: Path, *more: str) -> list[str]:
    faces = ["data=folder", f"data.root={place.faces}"]
    return ["fit", *faces, f"morphable={place.model}", "photometric=false", f"outdir={out}", *more]


def rejected(out: Path) -> set[tuple[str, str]]:
    with (out / "rejected.csv").open() as file:
        return {(row["photo"], row["reason"]) for row in csv.DictReader(file)}


def test_a_recipe(facegen: Facegen, place: Place, tmp_path: Path) -> None:
    """Landmarks of the table: no detector; one face without finite ones; columns written into the table."""
    status, out, err = facegen(*words(place, tmp_path, "index=true", "mesh=glb", "batch_size=3"))
    assert status == 0 and "4 pictures, 3 fitted" in out, err
    assert rejected(tmp_path) == {("face2", "landmarks implausible")}
    layout = load_model(place.model).layout
    for name in FITTED:
        stored = read_reconstruction(tmp_path / "coeff" / f"{name}.mat", layout)
        assert stored.landmarks.min() > 0 and stored.landmarks.max() < 224
        assert Image.open(tmp_path / "rendered" / f"{name}.png").size == (256, 256)
        assert (tmp_path / "meshes" / f"{name}.glb").stat().st_size > 10_000
    labels = json.loads((tmp_path / "dataset.json").read_text())["labels"]
    assert [name for name, _ in labels] == [f"{name}.png" for name in FITTED]
    lines = [json.loads(line) for line in (tmp_path / "fits.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == FITTED and all(0 <= line["fit_score"] <= 1 for line in lines)
    index = table.read(place.faces / "faces.lance")
    assert index["fit_score"].is_null().to_pylist() == [False, False, True, False]
    found = np.array([row for row in index["fit_camera"].to_pylist() if row])[:, [3, 7, 11]]
    truth = place.labels[[0, 1, 3]][:, [3, 7, 11]]
    degrees = np.degrees(np.arccos(np.clip((found * truth).sum(axis=1) / 2.7**2, -1, 1)))
    assert degrees.max() < 4, degrees
    yaw = np.degrees(np.arctan2(-truth[:, 0], truth[:, 2]))
    assert np.abs(np.array([line["yaw_degrees"] for line in lines]) - yaw).max() < 5
    points = np.array([index["fit_landmarks"][row].as_py() for row in (0, 1, 3)])
    known = np.array([index["landmarks"][row].as_py() for row in (0, 1, 3)])
    assert np.linalg.norm((points - known).reshape(3, 68, 2), axis=2).mean() < 1.5


def test_again_and_after_a_loss(facegen: Facegen, place: Place, tmp_path: Path) -> None:
    facegen(*words(place, tmp_path))
    before = (tmp_path / "coeff" / "face1.mat").read_bytes()[128:]  # the header says when it was written
    status, out, _ = facegen(*words(place, tmp_path))
    assert status == 0 and out.startswith("nothing to compute")
    (tmp_path / "coeff" / "face1.mat").unlink()
    status, out, _ = facegen(*words(place, tmp_path))
    assert status == 0 and "computed: fit 1\n" in out
    assert (tmp_path / "coeff" / "face1.mat").read_bytes()[128:] == before
    status, out, _ = facegen(*words(place, tmp_path, "noise=3"))
    assert status == 0 and "computed: fit 4\n" in out  # the one without landmarks is looked at again


@pytest.mark.parametrize("more", [["mesh=ply"], ["mesh=obj", "uv=photo"], ["mesh=glb", "uv=albedo"]])
def test_meshes(facegen: Facegen, place: Place, tmp_path: Path, more: list[str]) -> None:
    """Upright, in decimetres, in the colours of the picture."""
    status, _, err = facegen(*words(place, tmp_path, f"data.root={{root: {place.faces}, ids: [face0]}}", *more))
    assert status == 0, err
    path = tmp_path / "meshes" / f"face0.{more[0].partition('=')[2]}"
    mesh: Any = trimesh.load(path, force="mesh", process=False)
    assert len(mesh.faces) == len(load_model(place.model).triangles)
    x, y, z = mesh.bounding_box.extents
    assert 1.2 < x < 2.5 and 1.8 < y < 3.5 and 1 < z < 3
    assert np.abs(mesh.vertices[:, 0].mean()) < 0.1 and mesh.vertices[mesh.vertices[:, 2].argmax(), 1] < 0.3
    if "mesh=ply" in more:
        nose = mesh.visual.vertex_colors[mesh.vertices[:, 2].argmax(), :3].astype(int)
        picture = np.asarray(Image.open(place.faces / "face0.png")).astype(int)
        (column, row) = np.array(table.read(place.faces / "faces.lance")["landmarks"][0].as_py()).reshape(68, 2)[30]
        assert np.abs(nose - picture[int(row), int(column)]).max() < 40
    else:
        material = mesh.visual.material
        texture = material.image if "mesh=obj" in more else material.baseColorTexture
        assert texture.size == (1024, 1024) and np.asarray(texture.convert("L")).std() > 5


def test_sheet(facegen: Facegen, place: Place, tmp_path: Path) -> None:
    facegen(*words(place, tmp_path, "sheet=3"))
    assert Image.open(tmp_path / "overlay.png").size == (2 * 768, 2 * 300)
    facegen(*words(place, tmp_path, "sheet=1"))
    assert Image.open(tmp_path / "overlay.png").size == (768, 300)
    facegen(*words(place, tmp_path, "sheet=0"))
    assert not (tmp_path / "overlay.png").exists()


@needs_dlib
def test_photographs(facegen: Facegen, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found, the larger of two, none, broken; with the pixels; in a process of its own."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    first, second = (Image.open(place.faces / f"face{number}.png").resize((256, 256)) for number in (0, 1))
    both = Image.new("RGB", (560, 300), "grey")
    both.paste(first, (20, 20))
    both.paste(second.resize((200, 200)), (320, 40))
    both.save(photographs / "both.png")
    Image.new("RGB", (200, 200), "grey").save(photographs / "wall.png")
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8 half a photograph")
    monkeypatch.chdir(tmp_path)
    status, out, err = facegen("fit", "photographs", f"morphable={place.model}", "workers=1")
    assert status == 0 and "3 pictures, 1 fitted" in out and "exclude commercial use" in out, err
    assert rejected(tmp_path / "fits") == {("wall", "no face"), ("broken", "unreadable"), ("both", "another face")}
    assert [path.name for path in (tmp_path / "fits" / "coeff").iterdir()] == ["both.mat"]


@needs_dlib
def test_nothing_to_fit(refused: Callable[..., str], place: Place, tmp_path: Path) -> None:
    wall = tmp_path / "wall.png"
    Image.new("RGB", (200, 200), "grey").save(wall)
    line = refused("fit", str(wall), f"morphable={place.model}", f"outdir={tmp_path / 'out'}")
    assert "none of 1 pictures could be fitted; first: wall: no face" in line


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ([], "expected images=PICTURE, folder or zip, or data=RECIPE"),
        (["images=faces", "data=folder", "data.root=faces"], "and not both"),
        (["images=nowhere"], "images: nowhere does not exist"),
        (["head.safetensors"], "is no picture; expected one of .png"),
        (["faces", "index=true"], "index=true needs a table"),
        (["faces", "morphable=nowhere.mat"], "morphable: nowhere.mat does not exist"),
        (["faces", "morphable=faces/face0.png"], "face0.png"),
        (["faces", "start=nowhere"], "start: nowhere does not exist"),
        (["faces", "noise=0"], "noise: got 0"),
        (["faces", "mesh=stl"], "mesh: got 'stl'"),
        (["faces", "uv=photo"], "expected mesh=obj or glb"),
        (["faces", "uv=photo", "mesh=ply"], "expected mesh=obj or glb"),
        (["faces", "uv=skin", "mesh=obj"], "uv: got 'skin'"),
        (["faces", "detector=retina"], "expected one of: dlib, mediapipe"),
        (["faces", "batch_size=0"], "batch_size: got 0"),
        (["faces", "sheet=-1"], "sheet: got -1"),
        (["faces", "workers=-1"], "workers: got -1"),
        (["faces", "device=tpu"], "device: got 'tpu'"),
        (["data=folder", "data.root=faces", "landmarks=some"], "landmarks: got 'some'"),
        (["data=faces"], "data"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], place: Place, monkeypatch: pytest.MonkeyPatch, given: list[str], answer: str
) -> None:
    monkeypatch.chdir(place.faces.parent)
    model = [] if any(word.startswith("morphable=") for word in given) else ["morphable=head.safetensors"]
    assert answer in refused("fit", *given, *model, "outdir=out")
    assert not Path("out").exists()
