import dataclasses
import functools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.cli import main
from facegen.curation.columns import described_folder
from facegen.curation.describing import describe as module
from facegen.curation.describing.attributes import COLUMN, attributes_of, named
from facegen.curation.describing.captions import captions
from facegen.curation.describing.describe import describe
from facegen.curation.describing.sketches import simplified_sketch
from facegen.curation.stages import Row, Stage
from facegen.data import FaceDataModule, Recipe, table
from facegen.data.celeba import ATTRIBUTES
from facegen.data.index import build_index
from facegen.data.synthetic import synthesize, synthetic_recipe
from tests.curation.describing.test_sketches import head

FACES = 5
KNOWN = {"a/0": {"Male", "Young"}, "a/1": {"Smiling", "Black_Hair"}, "a/2": set(), "a/3": {"Bald", "Male"}}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures, and a list of the attributes of four of them."""
    root = tmp_path / "photos"
    (root / "a").mkdir(parents=True)
    for number in range(FACES):
        Image.fromarray(np.roll(head(64), 3 * number, 1)).save(root / "a" / f"{number}.png")
    lines = [str(len(KNOWN)), " ".join(ATTRIBUTES)]
    for face, present in KNOWN.items():
        values = ["1" if name in present else "-1" for name in ATTRIBUTES]
        lines.append(" ".join([f"{face.rpartition('/')[2]}.jpg", *values]))
    (tmp_path / "list_attr.txt").write_text("\n".join(lines) + "\n")
    return root


def attributes(photos: Path) -> Path:
    return photos.parent / "list_attr.txt"


def test_files_and_columns(photos: Path) -> None:
    made = describe(photos, attributes=attributes(photos), workers=0, seed=4)
    assert made.made == {"captions": 4, "sketch": 5} and made.computed == {"captions": 5, "sketch": 5}
    assert made.problems == {"captions": [("a/4", "no attributes are known of it")], "sketch": []}
    rows = table.read(photos / "faces.lance")
    for face, present in KNOWN.items():
        row = rows["id"].to_pylist().index(face)
        expected = captions({name: name in present for name in ATTRIBUTES}, face, 4)
        assert rows["captions"][row].as_py() == expected
        assert (photos / ".described/text" / f"{face}.txt").read_text() == "\n".join(expected) + "\n"
        assert {name for name, value in named(np.array(rows[COLUMN][row].as_py())).items() if value} == present
        assert rows["sketch"][row].as_py() == f".described/sketch/{face}.png"
        picture = np.asarray(Image.open(photos / f"{face}.png"))
        drawn = np.asarray(Image.open(photos / ".described/sketch" / f"{face}.png"))
        np.testing.assert_array_equal(drawn, simplified_sketch(picture))


def test_training_batches_carry_them(photos: Path) -> None:
    describe(photos, attributes=attributes(photos), workers=0)
    source = {"root": photos, "exclude": ["a/4"]}
    data = FaceDataModule(Recipe(source, conditions=["captions", "sketch"]), 4, workers=0)
    batch = data.dataset[[1, 3]]
    assert [len(texts) for texts in batch.conditions["captions"]] == [10, 10]
    assert batch.conditions["sketch"].shape == (2, 3, 64, 64)
    assert Recipe(photos).num_faces == FACES  # sketches are not taken for faces


def test_repeated_it_does_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(photos, attributes=attributes(photos), workers=0)
    monkeypatch.setattr(table, "set_columns", lambda *_: pytest.fail("a new version"))
    again = describe(photos, attributes=attributes(photos), workers=0)
    assert again.computed == {"captions": 0, "sketch": 0} and again.made == {"captions": 4, "sketch": 5}
    assert describe(photos, ["captions"], workers=0).computed == {"captions": 0}  # attributes are in the table now


def test_only_what_changed_is_made_again(photos: Path) -> None:
    describe(photos, attributes=attributes(photos), workers=0)
    Image.fromarray(head(48)).save(photos / "a" / "2.png")
    (photos / ".described/sketch/a/1.png").unlink()
    again = describe(photos, attributes=attributes(photos), workers=0)
    assert again.computed == {"captions": 0, "sketch": 2}
    assert Image.open(photos / ".described/sketch/a/2.png").size == (48, 48)
    other = describe(photos, ["captions"], attributes=attributes(photos), workers=0, seed=1)
    assert other.computed == {"captions": 5}


def test_an_interrupted_run_goes_on(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, calls = module.Stage, []

    def one_by_one(*arguments: Any) -> Stage:
        return dataclasses.replace(stage(*arguments), chunk=1)

    def stopped(row: Row, **settings: Any) -> Row:
        calls.append(row["id"])
        if len(calls) == 3:
            half = photos / ".described/sketch" / f"{row['id']}.png"
            half.write_bytes(b"half")
            raise KeyboardInterrupt
        return whole(row, **settings)

    whole = module._sketch
    monkeypatch.setattr(module, "Stage", one_by_one)
    monkeypatch.setattr(module, "_sketch", stopped)
    with pytest.raises(KeyboardInterrupt):
        describe(photos, ["sketch"], workers=0)
    assert "sketch" not in table.schema(photos / "faces.lance").names
    monkeypatch.setattr(module, "_sketch", whole)
    assert describe(photos, ["sketch"], workers=0).computed == {"sketch": 3}
    assert all(Image.open(path).size == (64, 64) for path in (photos / ".described/sketch/a").iterdir())


def test_a_zip_is_described_beside_it(photos: Path) -> None:
    packed = photos.parent / "faces.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((photos / "a").glob("*.png")):
            archive.write(path, f"a/{path.name}")
    made = describe(packed, attributes=attributes(photos), workers=0)
    assert made.folder == described_folder(packed) == photos.parent / ".faces.zip.described"
    data = FaceDataModule(Recipe(packed, conditions=["sketch"]), 4, workers=0)
    expected = simplified_sketch(np.asarray(Image.open(photos / "a/0.png")))
    np.testing.assert_array_equal(data.dataset[[0]].conditions["sketch"][0, 0].numpy(), expected)


def test_a_broken_picture_is_reported_and_the_rest_is_made(photos: Path) -> None:
    (photos / "a/1.png").write_bytes((photos / "a/1.png").read_bytes()[:200])
    made = describe(photos, ["sketch"], workers=0)
    assert made.made == {"sketch": 4} and len(made.problems["sketch"]) == 1
    face, reason = made.problems["sketch"][0]
    assert face == "a/1" and "unreadable" in reason


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("synthetic") / "faces", 6, 64, seed=3, workers=0, detail=0.1)


def test_synthetic_faces_are_described_where_conditions_ask(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegen.data.synthetic.recipes.synthesize", lambda *_: synthetic)
    with pytest.raises(ValueError, match=r"no 'captions'.*facegen data describe"):
        FaceDataModule(synthetic_recipe(6, 64, conditions=["captions"]))
    described = functools.partial(describe, workers=0)
    recipe = synthetic_recipe(6, 64, conditions=["captions", "sketch", "parts"], describe=described)
    batch = FaceDataModule(recipe, 2, workers=0).dataset[[0, 5]]
    assert set(batch.conditions) == {"captions", "sketch", "parts"}
    known = attributes_of(synthetic)
    assert known.shape == (6, 40) and set(np.unique(known)) == {-1, 0, 1}
    assert (known[:, ATTRIBUTES.index("Male")] == 0).all()
    assert batch.conditions["captions"][0] == captions(named(known[0]), batch.ids[0])


def one_line(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["data", "describe", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_bad_input_is_one_line(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, listed = f"root={photos}", f"attributes={attributes(photos)}"
    both = "columns=[captions,sketch]"
    assert "have no attributes; give attributes=FILE" in one_line(capsys, root, both, "workers=0")
    assert "columns: got [], expected some of: captions, sketch, " in one_line(capsys, root, "columns=[]")
    assert "columns: got 'mask', expected some of: captions" in one_line(capsys, root, "columns=[mask]")
    assert "pen.thick: got 3, expected numbers for some of: smooth" in one_line(capsys, root, both, "+pen.thick=3")
    assert "does not exist" in one_line(capsys, "root=/nowhere", both)
    attributes(photos).write_text(attributes(photos).read_text().replace(".jpg", "x.jpg"))
    assert "names 0x and so on, but no face, such as a/0" in one_line(capsys, root, both, listed, "workers=0")
    build_index(photos)
    photos.chmod(0o555)
    try:
        line = one_line(capsys, root, "columns=[sketch]", "workers=0")
    finally:
        photos.chmod(0o755)
    assert "permission denied" in line


def test_the_command_says_what_was_made(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "data",
                "describe",
                f"root={photos}",
                "columns=[captions,sketch]",
                f"attributes={attributes(photos)}",
                "workers=0",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "captions: 4 of 5 faces, 5 made now" in out and f"Files: {photos / '.described'}" in out
    assert "1 without, the first a/4: no attributes are known of it (1)" in out
    assert "data.conditions=[captions,sketch]" in out


def test_columns_that_came_with_a_dataset_stay(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegen.curation.columns.stored_shipped", lambda _: ["captions"])
    with pytest.raises(ValueError, match=r"captions of .* came with the dataset"):
        describe(photos, workers=0)
    with pytest.raises(ValueError, match="got 'masks', expected some of: captions, sketch"):
        describe(photos, ["masks"])
