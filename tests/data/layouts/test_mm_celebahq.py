import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.data.layouts.mm_celebahq import MM_CELEBAHQ
from facegen.data.masks import COLORS
from tests.data.layouts.checks import Damage, assert_named, damages, findings, ids_of, place_of, truncate
from tests.data.samples.mm_celebahq import (
    NUMBERS,
    TEST,
    add_celebamask_lists,
    attributes_of,
    captions_of,
    make_mm_celebahq,
)  # fmt: skip

IDS = [str(number) for number in NUMBERS]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_mm_celebahq(tmp_path, size=64)


def test_everything_that_ships_becomes_a_column(home: Path) -> None:
    place = place_of(MM_CELEBAHQ, home)
    assert place == (home / "image", home) == MM_CELEBAHQ.locate(home / "image")
    assert sorted(ids_of(MM_CELEBAHQ, place), key=int) == IDS and findings(MM_CELEBAHQ, home) == []
    columns, _ = MM_CELEBAHQ.annotate(place, IDS)
    assert {"captions", "mask", "sketch", "render", "coefficients", "split"} <= columns.keys()
    assert columns["captions"].to_pylist() == [captions_of(number) for number in NUMBERS]
    assert columns["mask"].to_pylist() == [f"../label/{name}.png" for name in IDS]
    assert columns["sketch"].to_pylist() == [f"../sketch/{name}.jpg" for name in IDS]
    assert columns["split"].to_pylist() == ["test" if number in TEST else "train" for number in NUMBERS]
    excluded = [name == "1036" for name in IDS]
    for name in ("render", "coefficients"):
        assert [value is None for value in columns[name].to_pylist()] == excluded


def test_captions_are_lines_of_files_from_any_system(home: Path) -> None:
    lines = [f"caption\u2028{number}" for number in range(10)]
    (home / "text/2.txt").write_bytes("\r\n".join([lines[0], "", *lines[1:], ""]).encode())
    columns, problems = MM_CELEBAHQ.annotate(place_of(MM_CELEBAHQ, home), IDS)
    assert not problems and columns["captions"][IDS.index("2")].as_py() == lines
    assert findings(MM_CELEBAHQ, home) == []


def test_celebamasks_lists(home: Path) -> None:
    add_celebamask_lists(home)
    assert findings(MM_CELEBAHQ, home) == []
    columns, _ = MM_CELEBAHQ.annotate(place_of(MM_CELEBAHQ, home), [*IDS, "5"])
    assert columns["celeba_attributes"].to_pylist() == [*map(attributes_of, NUMBERS), None]
    assert columns["celeba"].to_pylist() == [119613, 162770, 162771, 182637, 182638, 202598, None]
    assert columns["partition"].to_pylist() == ["train", "train", "val", "val", "test", "test", None]


def test_other_names_of_folders_and_files(home: Path) -> None:
    moves = {"image": "image/images", "text": "text/celeba-caption", "label": "masks", "sketch": "celeba_sketch"}
    for old, new in moves.items():
        path = (home / old).rename(home / f"{old}.moved")
        (home / new).parent.mkdir(exist_ok=True)
        path.rename(home / new)
    for name in IDS:
        (home / "celeba_sketch" / f"{name}.jpg").rename(home / "celeba_sketch" / f"{name}_edges.jpg")
        (home / "masks" / f"{name}.png").rename(home / "masks" / f"{int(name):05d}.png")
    place = place_of(MM_CELEBAHQ, home)
    assert place.images == home / "image/images" and findings(MM_CELEBAHQ, home) == []
    assert MM_CELEBAHQ.locate(place.images) == place == MM_CELEBAHQ.locate(home / "image")
    columns, _ = MM_CELEBAHQ.annotate(place, IDS[:1])
    assert [columns[name][0].as_py() for name in ("mask", "sketch")] == [
        "../../masks/00000.png", "../../celeba_sketch/0_edges.jpg",
    ]  # fmt: skip


def test_names_of_faces() -> None:
    names = {"0.jpg": "0", "00012.png": "12", "29999.jpg": "29999", "30000.jpg": None, "a.jpg": None, "b/1.jpg": None}
    assert {name: MM_CELEBAHQ.face_id(name) for name in names} == names


def test_celebahq_alone_is_not_it(home: Path) -> None:
    for name in ("text", "train", "test"):
        (home / name).rename(home.parent / name)
    assert MM_CELEBAHQ.locate(home) is None


def test_masks_in_parts_say_what_to_do(home: Path) -> None:
    (home / "label").rename(home / "CelebAMask-HQ-mask-anno")
    kinds = {problem.kind: problem for problem in findings(MM_CELEBAHQ, home)}
    assert kinds.keys() == {"missing file", "masks in parts"}
    assert kinds["missing file"].id == "label" and "merge_folder" in kinds["masks in parts"].detail


class _Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def _mask(pixels: np.ndarray) -> Callable[[Path], None]:
    return lambda home: Image.fromarray(pixels).save(home / "label/2.png")


def _list(part: str, names: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda home: (home / part / "filenames.pickle").write_bytes(pickle.dumps(names(home)))


def _text(text: str) -> Callable[[Path], Any]:
    return lambda home: (home / "text/2.txt").write_text(text)


SQUARE = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4), np.ones((8, 8), np.uint8))
TRAIN, MASK, TEXT = "train/filenames.pickle", "label/2.png", "text/2.txt"
WITHOUT = "github.com/IIGROUP/MM-CelebA-HQ-Dataset"


@damages(
    {
        "missing mask": Damage(lambda home: (home / MASK).unlink(), "missing file", "label/2", WITHOUT),
        "missing sketch": Damage(lambda home: (home / "sketch/2.jpg").unlink(), "missing file", "sketch/2", WITHOUT),
        "missing captions": Damage(lambda home: (home / TEXT).unlink(), "missing file", "text/2", WITHOUT),
        "no sketches": Damage(
            lambda home: (home / "sketch").rename(home.parent / "x"), "missing file", "sketch", "one file for each face"
        ),
        "no list": Damage(lambda home: (home / TRAIN).unlink(), "missing file", "filenames.pickle", "of train images"),
        "mask of nobody": Damage(
            lambda home: Image.fromarray(SQUARE).save(home / "label/77.png"),
            "unexpected file", "label/77.png", "no such face",
        ),
        "two masks": Damage(
            lambda home: Image.fromarray(SQUARE).save(home / "label/00002.png"),
            "unexpected file", MASK, "00002.png is of the same face",
        ),
        "other folder": Damage(lambda home: (home / "depth").mkdir(), "unexpected file", "depth", "no part of Multi"),
        "nine captions": Damage(
            _text("\n".join(captions_of(2)[:9])), "number of captions", TEXT, "9 captions, expected 10"
        ),
        "eleven captions": Damage(
            _text("\n".join([*captions_of(2), "x"])), "number of captions", TEXT, "11 captions, expected 10"
        ),
        "empty captions": Damage(_text("\n \n"), "malformed captions", TEXT, "no captions, expected 10"),
        "no text": Damage(
            lambda home: (home / TEXT).write_bytes(b"a\xff\xfe"), "malformed captions", TEXT, "not text in UTF-8"
        ),
        "a book": Damage(_text("word " * 20000), "malformed captions", TEXT, "100000 bytes, expected 10 lines"),
        "colour mask": Damage(_mask(COLORS[SQUARE]), "malformed masks", MASK, "in CelebAMask-HQ's colours"),
        "grey mask": Damage(_mask(SQUARE * 12), "malformed masks", MASK, "values up to 180"),
        "mask of one part": Damage(
            _mask((SQUARE > 3).astype(np.uint8) * 255), "malformed masks", MASK, "the mask of one part"
        ),
        "mask of another shape": Damage(_mask(SQUARE[:16]), "malformed masks", MASK, "32x16, expected the same shape"),
        "truncated mask": Damage(lambda home: truncate(home / MASK), "malformed masks", MASK, "not a readable picture"),
        "hostile list": Damage(
            _list("train", lambda home: _Hostile(home / "executed")), "malformed file", TRAIN, "posix.system"
        ),
        "list of numbers": Damage(
            _list("train", lambda home: [0, 1]), "malformed file", TRAIN, "expected a list of numbers as text"
        ),
        "truncated list": Damage(lambda home: truncate(home / TRAIN), "malformed file", TRAIN, "refused at byte"),
        "face on both lists": Damage(
            _list("train", lambda home: [name for name in IDS if name != "29999"]),
            "listed twice", "test/filenames.pickle", "1 faces are also on the other list: 2",
        ),
        "face on no list": Damage(
            _list("train", lambda home: ["0"]), "missing entry", "1", "3 faces are on neither list"
        ),
        "list of another dataset": Damage(
            _list("train", lambda home: [*IDS[:2], *IDS[3:5], "30001"]),
            "entry without image", TRAIN, "1 of 5 faces have no image here, such as 30001",
        ),
        "other attributes": Damage(
            lambda home: (home / "celeba-hq-attribute.txt").write_text("6\nBald Young\n"),
            "malformed file", "multi-modal-celeba", "40 attributes in line 2",
        ),
        "coefficients truncated": Damage(
            lambda home: truncate(home / "coeff/2.mat"), "malformed coefficients", "coeff/2.mat", "MATLAB"
        ),
        "render missing": Damage(
            lambda home: (home / "rendered/2.png").unlink(), "missing file", "rendered/2.png", WITHOUT
        ),
    }
)  # fmt: skip
def test_damage_is_named(home: Path, damage: Damage) -> None:
    assert_named(MM_CELEBAHQ, home, damage)
    assert not (home / "executed").exists()
