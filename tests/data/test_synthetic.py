"""The synthetic source: the same faces every time, and the truth about them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegen.cli import main
from facegen.data import table
from facegen.data.sources import open_source
from facegen.data.synthetic import cache_folder, source, synthesize, synthetic_data
from facegen.data.synthetic.faces import BLOCK
from facegen.data.validate import validate
from facegen.geometry.projection import project
from facegen.morphable.procedural import PARTS, read_head

COUNT = BLOCK + 5
TINY = {"resolution": 64, "seed": 3, "detail": 0.3}


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for this file's tests, so that the coarse head is made once and nothing is left behind."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("FACEGEN_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def made(own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("made") / "faces", COUNT, workers=0, **TINY)


def contents(root: Path) -> dict[str, bytes]:
    """All files that hold faces and the numbers about them."""
    files = [*root.glob("images/*/*.png"), *root.glob(".masks/*/*.png"), root / "dataset.json", root / "manifest.json"]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def columns(root: Path) -> dict[str, list]:
    rows = table.read(root / "faces.lance")
    return {name: rows[name].to_pylist() for name in rows.column_names if name != "mtime"}


def test_it_is_a_source_without_problems(made: Path) -> None:
    opened = open_source(made)
    assert opened.indexed and len(opened.rows) == COUNT and not opened.problems
    report = validate(str(made), resolution=64, labels=True, workers=0)
    assert report.clean and report.images == COUNT


def test_labels_landmarks_and_coefficients_agree(made: Path) -> None:
    rows, head = columns(made), read_head(made / "head.npz")
    labels = json.loads((made / "dataset.json").read_text())["labels"]
    assert [name for name, _ in labels] == [f"{face}.png" for face in rows["id"]]
    np.testing.assert_allclose([label for _, label in labels], rows["camera"], rtol=1e-6)
    for number in (0, COUNT - 1):
        identity, expression = (
            np.array(rows[f"coefficients_{name}"][number], np.float32) for name in ("identity", "expression")
        )
        points = torch.from_numpy(head.vertices(identity, expression)[head.landmarks])
        uv = project(points, torch.tensor(rows["camera"][number])[None])[0].numpy()
        np.testing.assert_allclose(np.reshape(rows["landmarks"][number], (68, 2)), uv * 64, atol=1e-2)


def test_masks_and_manifest_name_the_parts(made: Path) -> None:
    names = json.loads((made / "manifest.json").read_text())
    assert names["mask_parts"] == list(PARTS) and names["complete"] is True
    assert len(names["coefficients"]["identity"]) == len(columns(made)["coefficients_identity"][0])
    for number, mask in enumerate(columns(made)["parts"]):
        pixels = np.asarray(Image.open(made / mask))
        assert pixels.shape == (64, 64) and pixels.max() < len(PARTS)
        share = (pixels == PARTS.index("skin")).mean()
        assert 0.1 < share < 0.8, number


def test_two_processes_make_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "faces", COUNT, workers=2, **TINY)
    assert contents(again) == contents(made) and columns(again) == columns(made)


def test_a_face_does_not_depend_on_how_many_there_are(made: Path, tmp_path: Path) -> None:
    few = contents(synthesize(tmp_path / "faces", 3, workers=0, **TINY))
    images = {name for name in few if name.startswith("images/")}
    assert len(images) == 3 and all(few[name] == contents(made)[name] for name in images)


def test_an_interrupted_source_is_continued(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []
    make_block = source.make_block

    def one_block_only(root: Path, settings: source.Settings, block: int, stop: int) -> int:
        if rendered:
            raise KeyboardInterrupt
        rendered.append(block)
        return make_block(root, settings, block, stop)

    monkeypatch.setattr(source, "make_block", one_block_only)
    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "faces", COUNT, workers=0, **TINY)
    assert json.loads((tmp_path / "faces/manifest.json").read_text())["complete"] is False
    rest: list[int] = []
    monkeypatch.setattr(source, "make_block", lambda *call: rest.append(call[2]) or make_block(*call))
    again = synthesize(tmp_path / "faces", COUNT, workers=0, **TINY)
    assert (rendered, rest) == ([0], [1])
    assert contents(again) == contents(made) and columns(again) == columns(made)


def test_a_finished_source_is_left_alone(made: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in made.rglob("*") if file.is_file() and file.name != ".lock"}
    synthesize(made, COUNT, **TINY)
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_other_arguments_and_other_folders_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds synthetic faces of seed=3, asked for 4; choose another folder"):
        synthesize(made, COUNT, **{**TINY, "seed": 4})
    with pytest.raises(ValueError, match=f"num_images={COUNT}, asked for 9"):
        synthesize(made, 9, **TINY)
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"holds holiday\.jpg and no manifest\.json; expected an empty"):
        synthesize(tmp_path)
    with pytest.raises(ValueError, match="resolution: got 1024, expected a whole number from 64 to 512"):
        synthesize(tmp_path / "new", resolution=1024)


def test_data_module_makes_its_faces_in_the_cache(own_cache: Path, made: Path) -> None:
    assert cache_folder() == own_cache
    place = str(_fine(made))
    data = synthetic_data(COUNT, 64, faces_seed=3, root=place, labels=True, mirror=True, batch_size=4, workers=0)
    batch = next(iter(data.train_dataloader()))
    assert batch.images.shape == (4, 3, 64, 64) and batch.cameras.shape == (4, 25)
    assert data.num_images == COUNT and len(data.dataset) == 2 * COUNT


def _fine(made: Path) -> Path:
    """Present the coarse faces as what the data module would make."""
    path = made / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["settings"]["detail"] = 1.0
    path.write_text(json.dumps(manifest))
    return made


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "root is missing"),
        (["root=faces", "poses=frontal"], "poses: got 'frontal', expected one of: ffhq, large, uniform"),
        (["root=faces", "num_images=0"], "num_images: got 0, expected a whole number from 1"),
        (["root=faces", "resolution=32"], "resolution: got 32, expected a whole number from 64 to 512"),
        (["root=faces", "workers=-1"], "workers: got -1, expected 0 or more"),
    ],
)
def test_command_names_mistakes_in_one_line(
    words: list[str], answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "synthesize", *words]) == 2
    err = capsys.readouterr().err
    assert answer in err and err.count("\n") == 1
    assert not (tmp_path / "faces").exists()
