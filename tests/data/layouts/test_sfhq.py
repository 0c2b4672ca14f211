import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.data.layouts.sfhq import SFHQ
from facegen.data.masks import COLORS
from tests.data.layouts.checks import Damage, assert_named, damages, findings, ids_of, place_of, truncate
from tests.data.samples.sfhq import add_sample_folder, make_sfhq, make_sfhq_t2i

FACE = "SFHQ_pt1_00000001"
LANDMARKS, CLIP = f"landmarks/{FACE}.npz", f"pretrained_features/{FACE}.pickle"
MASK = f"segmentations/{FACE}.png"


def test_everything_that_ships_becomes_a_column(tmp_path: Path) -> None:
    home = make_sfhq(tmp_path, faces=3)
    place = place_of(SFHQ, home)
    assert place == (home / "images", home) == SFHQ.locate(home / "images")
    ids = ids_of(SFHQ, place)
    assert ids == [f"SFHQ_pt1_{number:08d}" for number in range(3)]
    columns, problems = SFHQ.annotate(place, ids[::-1])
    assert not problems and columns.keys() == {"landmarks110", "clip", "segmentation"}
    points = np.array(columns["landmarks110"].to_pylist()).reshape(3, 110, 2)[::-1]
    features = np.array(columns["clip"].to_pylist())[::-1]
    for row, name in enumerate(ids):
        rng = np.random.default_rng([1, row])
        rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        np.testing.assert_allclose(points[row], rng.uniform(200, 900, (110, 2)), rtol=1e-6)
        rng.integers(0, 19, (16, 16), dtype=np.uint8)
        np.testing.assert_array_equal(features[row], rng.normal(size=768).astype(np.float16))
        path = place.images / columns["segmentation"][2 - row].as_py()
        assert path.resolve() == (home / "segmentations" / f"{name}.png").resolve()
    assert findings(SFHQ, home) == []


def test_other_names_of_the_folder_and_folders_of_samples(tmp_path: Path) -> None:
    home = make_sfhq(tmp_path, faces=3).rename(tmp_path / "my part")
    sample = add_sample_folder(home)
    place = place_of(SFHQ, sample)
    assert place == (sample, home) and SFHQ.locate(home) == (home / "images", home)
    columns, problems = SFHQ.annotate(place, ids_of(SFHQ, place))
    assert not problems and columns["clip"].null_count == 0 and len(columns["clip"]) == 2
    assert columns["segmentation"][0].as_py() == "../segmentations/SFHQ_pt1_00000000.png"


@pytest.mark.parametrize("kept", ["landmarks", "segmentations", "pretrained_features"])
def test_one_kind_of_annotation_is_enough(tmp_path: Path, kept: str) -> None:
    home = make_sfhq(tmp_path, faces=2)
    gone = {"landmarks", "segmentations", "pretrained_features"} - {kept}
    for name in gone:
        (home / name).rename(tmp_path / name)
    place = place_of(SFHQ, home)
    columns, problems = SFHQ.annotate(place, ids_of(SFHQ, place))
    assert len(columns) == 1 and {problem.id for problem in problems} == gone
    assert all(problem.kind == "missing file" and "https://" in problem.detail for problem in problems)


def test_other_folders_are_not_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "landmarks").mkdir()
    assert SFHQ.locate(tmp_path) is None and SFHQ.locate(tmp_path / "nothing") is None
    assert SFHQ.face_id("a.jpg") == "a" and SFHQ.face_id("b/a.jpg") is None


class _Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def _save(home: Path, name: str, pixels: np.ndarray, mode: str | None = None) -> None:
    picture = Image.fromarray(pixels)
    if mode == "P":
        picture.putpalette(COLORS.ravel().tolist())
    picture.save(home / name)


def _pickled(home: Path, value: Any) -> None:
    (home / CLIP).write_bytes(pickle.dumps(value))


def _landmarks(home: Path, **arrays: Any) -> None:
    np.savez(home / LANDMARKS, **arrays)


IDS = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4), np.ones((8, 8), np.uint8))
FEATURES = np.ones((1, 768), np.float32)


@damages(
    {
        "missing landmarks": Damage(
            lambda home: (home / LANDMARKS).unlink(), "missing file", f"landmarks/{FACE}", "github.com/SelfishGene"
        ),
        "missing segmentation": Damage(
            lambda home: (home / MASK).unlink(), "missing file", f"segmentations/{FACE}", "expected in"
        ),
        "extra features": Damage(
            lambda home: (home / "pretrained_features/x.pickle").touch(),
            "unexpected file", "pretrained_features/x.pickle", "no such face",
        ),
        "other kind of file": Damage(
            lambda home: (home / "landmarks/x.txt").touch(), "unexpected file", "landmarks/x.txt", "no name of a file"
        ),
        "other folder": Damage(lambda home: (home / "depth").mkdir(), "unexpected file", "depth", "no part of SFHQ"),
        "truncated npz": Damage(
            lambda home: truncate(home / LANDMARKS), "malformed landmarks", LANDMARKS, "damaged .npz file"
        ),
        "npz without key": Damage(
            lambda home: _landmarks(home, points=np.ones((110, 2))),
            "malformed landmarks", LANDMARKS, "no array 'landmarks', it has: points.npy",
        ),
        "68 landmarks": Damage(
            lambda home: _landmarks(home, landmarks=np.full((68, 2), 500.0)),
            "malformed landmarks", LANDMARKS, "expected numbers of shape (110, 2), got float64 (68, 2)",
        ),
        "landmarks of objects": Damage(
            lambda home: _landmarks(home, landmarks=np.array([_Hostile(home / "executed")] * 2)),
            "malformed landmarks", LANDMARKS, "Object arrays cannot be loaded",
        ),
        "landmarks not finite": Damage(
            lambda home: _landmarks(home, landmarks=np.full((110, 2), np.nan)),
            "malformed landmarks", LANDMARKS, "not finite",
        ),
        "landmarks at 256": Damage(
            lambda home: _landmarks(home, landmarks=np.full((110, 2), 200.0)),
            "malformed landmarks", LANDMARKS, "landmarks up to 200: pixels at 256; expected them at 1024",
        ),
        "hostile pickle": Damage(
            lambda home: _pickled(home, _Hostile(home / "executed")),
            "malformed pretrained_features", CLIP, "posix.system",
        ),
        "truncated pickle": Damage(
            lambda home: truncate(home / CLIP), "malformed pretrained_features", CLIP, "refused at byte"
        ),
        "features of another model": Damage(
            lambda home: _pickled(home, {"CLIP_ViTB_32": FEATURES[:, :512]}),
            "malformed pretrained_features", CLIP, "no features 'CLIP_ViTL_14@336'",
        ),
        "512 features": Damage(
            lambda home: _pickled(home, {"CLIP_ViTL_14@336": FEATURES[:, :512]}),
            "malformed pretrained_features", CLIP, "got float32 (1, 512)",
        ),
        "colour segmentation": Damage(
            lambda home: _save(home, MASK, COLORS[IDS]),
            "malformed segmentations", MASK, "a picture in CelebAMask-HQ's colours",
        ),
        "photograph as segmentation": Damage(
            lambda home: _save(home, MASK, np.full((8, 8, 3), 77, np.uint8)),
            "malformed segmentations", MASK, "a colour picture, expected one channel",
        ),
        "ids beyond 18": Damage(
            lambda home: _save(home, MASK, IDS + 9), "malformed segmentations", MASK, "values up to 24 (16 different)"
        ),
        "palette": Damage(
            lambda home: _save(home, MASK, IDS, "P"), "malformed segmentations", MASK, "places of a colour palette"
        ),
        "one part": Damage(
            lambda home: _save(home, MASK, (IDS > 5).astype(np.uint8) * 255),
            "malformed segmentations", MASK, "black and white, the mask of one part",
        ),
        "other shape": Damage(
            lambda home: _save(home, MASK, IDS[:16]), "malformed segmentations", MASK, "32x16, expected the same shape"
        ),
        "truncated segmentation": Damage(
            lambda home: truncate(home / MASK), "malformed segmentations", MASK, "not a readable picture"
        ),
    }
)  # fmt: skip
def test_damage_is_named(tmp_path: Path, damage: Damage) -> None:
    home = make_sfhq(tmp_path, faces=2)
    assert_named(SFHQ, home, damage)
    assert not (home / "executed").exists()


def test_metadata_are_the_files_that_are_read(tmp_path: Path) -> None:
    home = make_sfhq(tmp_path, faces=1)
    place = place_of(SFHQ, home)
    before = {path: path.stat().st_mtime_ns for path in SFHQ.metadata(place) if path.exists()}
    (home / "landmarks" / "new.npz").touch()
    assert [path.name for path, time in before.items() if path.stat().st_mtime_ns != time] == ["landmarks"]


def test_prompts_of_the_successor(tmp_path: Path) -> None:
    home = make_sfhq_t2i(tmp_path)
    place = place_of(SFHQ, home)
    assert place == (home / "images", home)
    columns, problems = SFHQ.annotate(place, ids_of(SFHQ, place))
    assert not problems and columns.keys() == {"captions", "model", "prompt_chars", "prompt_words"}
    assert columns["captions"][2].as_py() == ['a portrait, number 2, of a "face"']
    assert columns["prompt_chars"].to_pylist() == [33] * 4 and columns["prompt_words"].to_pylist() == [7] * 4
    assert columns["model"].to_pylist() == ["SDXL"] * 4


TABLE = "SFHQ_T2I_dataset.csv"


@damages(
    {
        "other columns": Damage(
            lambda home: (home / TABLE).write_text("a,b\n1,2\n"), "malformed file", TABLE, "no column 'image_filename'"
        ),
        "short row": Damage(
            lambda home: (home / TABLE).write_text("image_filename,model_used,text_prompt\n,\n"),
            "another release", TABLE, "none of its 1 entries",
        ),
        "no text": Damage(
            lambda home: (home / TABLE).write_bytes(b"\xff\xfe\x00"), "malformed file", TABLE, "cannot be read"
        ),
        "row without image": Damage(
            lambda home: (home / TABLE).write_text((home / TABLE).read_text() + "x.jpg,SDXL,text,{}\n"),
            "entry without image", TABLE, "1 of 5 have no image here (x)",
        ),
    }
)  # fmt: skip
def test_damage_to_the_successors_table_is_named(tmp_path: Path, damage: Damage) -> None:
    assert_named(SFHQ, make_sfhq_t2i(tmp_path), damage)
