"""Masks and hairlines as columns of a source: files, repeats, other parsers, and training on them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from facegen.curation.columns import add_columns
from facegen.curation.parsing.orders import to_celebamask
from facegen.curation.parsing.parsers import named_parser
from facegen.curation.parsing.stage import hairline_group, parsing_group
from facegen.data import table
from facegen.data.conditions import Conditions
from facegen.data.index import build_index
from facegen.data.masks import CELEBAMASK
from tests.curation.parsing import colors


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two drawn faces, and a picture that is none."""
    for name, turn in (("a", 0), ("more/b", 6)):
        path = tmp_path / "faces" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colors.drawn(colors.face(turn))).save(path)
    (tmp_path / "faces" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return tmp_path / "faces"


def rows(source: Path) -> dict[str, dict]:
    return {row["id"]: row for row in table.read(table.table_path(source)).to_pylist()}


def test_masks_are_files_beside_the_pictures(source: Path) -> None:
    added = add_columns(source, [parsing_group(colors.model())], workers=0)
    assert added.made == {"parsing": 2} and [face for face, _ in added.problems["parsing"]] == ["broken"]
    found = rows(source)
    assert found["broken"]["parsing"] is None
    for name, turn in (("a", 0), ("more/b", 6)):
        with Image.open(source / found[name]["parsing"]) as picture:
            said = picture.text  # type: ignore[attr-defined]
            assert picture.mode == "L" and said == {"parts": ",".join(CELEBAMASK), "parser": "colours"}
            assert (np.asarray(picture) == to_celebamask(colors.face(turn), colors.PARTS)).all()
    assert not [path for path in source.rglob("*.png") if ".described" not in path.parts and path.stem == "parsing"]


def test_nothing_is_computed_twice_and_lost_files_are_made_again(source: Path) -> None:
    group = parsing_group(colors.model())
    assert add_columns(source, [group], workers=0).computed == {"parsing": 3}
    assert add_columns(source, [group], workers=0).computed == {"parsing": 0}
    lost = source / rows(source)["a"]["parsing"]
    lost.unlink()
    assert add_columns(source, [group], workers=0).computed == {"parsing": 1} and lost.exists()


def test_another_parser_and_back_again_never_mix_masks(source: Path) -> None:
    first, second = parsing_group(colors.model()), parsing_group(colors.model("coarse", 16))
    add_columns(source, [first], workers=0)
    fine = rows(source)["a"]["parsing"]
    add_columns(source, [second], workers=0)
    coarse = rows(source)["a"]["parsing"]
    masks = [np.asarray(Image.open(source / path)) for path in (fine, coarse)]
    assert fine != coarse and (masks[0] != masks[1]).any()
    assert add_columns(source, [first], workers=0).computed == {"parsing": 0}
    assert rows(source)["a"]["parsing"] == fine


def test_masks_can_be_trained_on(source: Path) -> None:
    add_columns(source, [parsing_group(colors.model())], workers=0)
    read = table.read(table.table_path(source))
    kept = read.filter(pa.compute.is_valid(read["parsing"])).to_pylist()  # type: ignore[attr-defined]
    given = pa.table({"id": [row["id"] for row in kept], "parsing": [str(source / row["parsing"]) for row in kept]})
    batch = Conditions(given, ["parsing"], 32, True).batch(np.array([0, 0]), np.array([False, True]))["parsing"]
    assert batch.shape == (2, 1, 32, 32)
    eyes = [torch.argwhere(batch[row, 0] == CELEBAMASK.index("l_eye"))[:, 1].float().mean() for row in (0, 1)]
    assert min(eyes) > 16  # the flipped face's left eye is again at the right


def test_hairlines_follow_masks_and_landmarks(source: Path) -> None:
    add_columns(source, [parsing_group(colors.model())], workers=0)
    with pytest.raises(ValueError, match=r"hairlines: the faces of .* have no landmarks68; add it first"):
        add_columns(source, [hairline_group()], workers=0)
    points = pa.array([colors.landmarks().ravel().astype(np.float32).tolist(), None, None], pa.list_(pa.float32(), 136))
    given = pa.table({"id": ["a", "broken", "more/b"], "landmarks68": points})
    table.set_columns(table.table_path(source), given)
    added = add_columns(source, [hairline_group()], workers=0)
    assert added.made == {"hairlines": 1}
    assert dict(added.problems["hairlines"])["more/b"].endswith("it has no landmarks68")
    face = rows(source)["a"]
    extended = np.reshape(face["landmarks_extended"], (110, 2))
    np.testing.assert_allclose(extended[:68], colors.landmarks())
    np.testing.assert_array_equal(extended[68:89], np.reshape(face["hairline_inner"], (21, 2)))
    np.testing.assert_array_equal(extended[89:], np.reshape(face["hairline_outer"], (21, 2)))
    assert np.isfinite(extended).all(axis=1).sum() > 100
    assert rows(source)["more/b"]["landmarks_extended"] is None


def test_masks_that_a_source_has_do_for_hairlines(source: Path) -> None:
    """Those of synthetic faces, whose ids mean other parts."""
    index = build_index(source)
    names = ("background", "skin", "hair", "eye", "ear", "lips", "mouth", "brow", "cloth")
    ids = np.array([names.index("skin" if name == "nose" else name) for name in colors.PARTS[:-1]] + [0], np.uint8)
    folder = source / ".masks"
    folder.mkdir()
    Image.fromarray(ids[colors.face()]).save(folder / "a.png")
    points = pa.array([colors.landmarks().ravel().astype(np.float32).tolist(), None, None], pa.list_(pa.float32(), 136))
    columns = {"id": ["a", "broken", "more/b"], "landmarks": points, "parts": [".masks/a.png", None, None]}
    table.set_columns(index.path, pa.table(columns))
    assert add_columns(source, [hairline_group("parts")], workers=0).made == {"hairlines": 1}
    whole = np.array(rows(source)["a"]["landmarks_extended"])
    Image.fromarray(ids[colors.face()].repeat(3, axis=0).repeat(3, axis=1)).save(folder / "larger.png")
    columns["parts"] = [".masks/larger.png", ".masks/gone.png", ".masks/gone.png"]
    columns["landmarks"] = pa.array([points[0].as_py()] * 3, points.type)
    table.set_columns(index.path, pa.table(columns))
    added = add_columns(source, [hairline_group("parts")], workers=0)
    np.testing.assert_allclose(rows(source)["a"]["landmarks_extended"], whole, atol=1)
    assert dict(added.problems["hairlines"])["more/b"].endswith("its mask gone.png cannot be read")


def test_a_bad_parser_leaves_the_column_as_it_is(source: Path, tmp_path: Path) -> None:
    add_columns(source, [parsing_group(colors.model())], workers=0)
    before = rows(source)
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"bad.pth is no file of weights"):
        add_columns(source, [parsing_group(named_parser(tmp_path / "bad.pth"))], workers=0)
    assert rows(source) == before
