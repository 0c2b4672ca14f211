"""What is wrong with a dataset is said in one line that names the file: every source, every kind of damage."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegen.data.index import build_index
from tests.data.samples.celebahq import make_celebahq
from tests.data.samples.ffhq import make_ffhq, make_ffhq_eg3d, zip_folder
from tests.data.samples.lpff import face_ids, make_lpff

FACE = face_ids(2)[1]


def _edit(path: Path, change: Callable[[Any], Any]) -> None:
    """Change the content of a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _rename(path: Path, name_of: Callable[[str], str]) -> None:
    """Give the entries of a JSON file other names, as those of another release."""
    path.write_text(json.dumps({name_of(key): value for key, value in json.loads(path.read_text()).items()}))


def _rename_labels(path: Path) -> None:
    """Give EG3D's labels the names of another release."""
    _edit(path, lambda content: [entry.__setitem__(0, f"x/{entry[0]}") for entry in content["labels"]])


def _eg3d_zip(root: Path) -> Path:
    return zip_folder(make_ffhq_eg3d(root), root / "FFHQ_512.zip")


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


LPFF, STYLEGAN = ("lpff_eg3d", make_lpff), ("lpff_stylegan", make_lpff)
FFHQ, EG3D, EG3D_ZIP, CELEBAHQ = (
    ("ffhq", make_ffhq), ("ffhq_eg3d", make_ffhq_eg3d), ("ffhq_eg3d", _eg3d_zip), ("celebahq", make_celebahq),
)  # fmt: skip
Source = tuple[str, Callable[[Path], Path]]
METADATA, CAMERAS = "ffhq-dataset-v2.json", "camera_parameters.json"

# source, what is done to its folder, kind and name of the problem, words of its detail
PROBLEMS: dict[str, tuple[Source, Callable[[Path], Any], str, str, str]] = {
    "ffhq: malformed metadata": (FFHQ, lambda home: _truncate(home / METADATA), "malformed file", METADATA, "JSON"),
    "ffhq: metadata of another kind": (
        FFHQ, lambda home: (home / METADATA).write_text("[]"), "malformed file", METADATA, "expected an object",
    ),
    "ffhq: an image without metadata": (
        FFHQ, lambda home: _edit(home / METADATA, lambda c: c.pop("999")), "missing entry", "00999", METADATA,
    ),
    "ffhq: metadata of other images": (
        FFHQ, lambda home: _rename(home / METADATA, lambda key: f"{int(key) + 5}"),
        "another release", METADATA, "none of its 10",
    ),
    "ffhq: entries mixed up": (
        FFHQ, lambda home: _edit(home / METADATA, lambda c: c.update({"999": c["1000"]})),
        "malformed metadata", "00999", "01000.png",
    ),
    "ffhq: five landmarks": (
        FFHQ, lambda home: _edit(home / METADATA, lambda c: c["999"]["image"].update(face_landmarks=[[1, 2]] * 5)),
        "malformed metadata", "00999", "no 68 finite landmarks",
    ),
    "ffhq: entry without image": (
        FFHQ, lambda home: _edit(home / METADATA, lambda c: c.update({"5": c["0"]})),
        "entry without image", METADATA, "00005",
    ),
    "ffhq: truncated .mat": (
        FFHQ, lambda home: _truncate(home / "coeff/31007.mat"), "malformed coefficients", "coeff/31007.mat", "MATLAB",
    ),
    "ffhq: missing .mat": (
        FFHQ, lambda home: (home / "coeff/31007.mat").unlink(), "missing file", "coeff/31007.mat", "https://",
    ),
    "ffhq: missing render": (
        FFHQ, lambda home: (home / "rendered/00000.png").unlink(), "missing file", "rendered/00000.png", "https://",
    ),
    "celebahq: .mat of no image": (
        CELEBAHQ, lambda home: (home / "coeff/000002.mat").rename(home / "coeff/000003.mat"),
        "unexpected file", "coeff/000003.mat", "no such face",
    ),
    "celebahq: foreign file": (
        CELEBAHQ, lambda home: (home / "images.7z").write_bytes(b""), "unexpected file", "images.7z", "no part of",
    ),
    "celebahq: foreign image": (
        CELEBAHQ, lambda home: (home / "CelebA-HQ-img/0.jpg").rename(home / "CelebA-HQ-img/30000.jpg"),
        "unexpected file", "30000.jpg", "celebahq",
    ),
    "eg3d: missing labels": (
        EG3D, lambda home: (home / "dataset.json").unlink(), "missing file", "dataset.json", "https://",
    ),
    "eg3d: malformed labels": (
        EG3D, lambda home: _truncate(home / "dataset.json"), "malformed labels", "dataset.json", "not a JSON file",
    ),
    "eg3d: an image without camera": (
        EG3D, lambda home: _edit(home / "dataset.json", lambda c: c["labels"].pop(3)),
        "missing label", "00000/img00000003.png", "dataset.json",
    ),
    "eg3d: labels of another release": (
        EG3D, lambda home: _rename_labels(home / "dataset.json"),
        "label without image", "x/00000/img00000000.png", "no such image",
    ),
    "eg3d: not a number": (
        EG3D, lambda home: _edit(home / "dataset.json", lambda c: c["labels"][2][1].__setitem__(3, float("nan"))),
        "malformed label", "00000/img00000002.png", "contains NaN",
    ),
    "lpff: not a number": (
        LPFF, lambda home: _edit(home / CAMERAS, lambda c: c[FACE].__setitem__(0, float("nan"))),
        "malformed label", FACE, "contains NaN",
    ),
    "lpff: 16 numbers": (
        STYLEGAN, lambda home: _edit(home / CAMERAS, lambda c: c.update({FACE: c[FACE][:16]})),
        "malformed label", FACE, "got 16",
    ),
    "lpff: a face without camera": (
        LPFF, lambda home: _edit(home / CAMERAS, lambda c: c.pop(FACE)), "missing label", FACE, CAMERAS,
    ),
    "lpff: cameras of another release": (
        STYLEGAN, lambda home: _rename(home / CAMERAS, lambda key: f"{key}_9"),
        "another release", CAMERAS, "none of its 6",
    ),
    "lpff: a camera without face": (
        LPFF, lambda home: _edit(home / CAMERAS, lambda c: c.update(nobody_01=c[FACE])),
        "label without image", CAMERAS, "nobody_01",
    ),
    "lpff: info of another photograph": (
        LPFF, lambda home: _edit(home / "info.json", lambda c: c[FACE].update(raw_image_name="other")),
        "malformed entry", FACE, "info.json",
    ),
    "lpff: info without the photograph": (
        STYLEGAN, lambda home: _edit(home / "info.json", lambda c: c.update({FACE: 3})),
        "malformed entry", FACE, "info.json",
    ),
    "lpff: five landmarks": (
        LPFF, lambda home: _edit(home / "raw_lm.json", lambda c: c.update({FACE: c[FACE][:5]})),
        "malformed landmarks", FACE, "68 finite pairs (x, y) in raw_lm.json",
    ),
    "lpff: landmarks are text": (
        LPFF, lambda home: _edit(home / "realign2400_lm.json", lambda c: c.update({FACE: "left"})),
        "malformed landmarks", FACE, "realign2400_lm.json",
    ),
    "lpff: foreign file": (
        LPFF, lambda home: (home / "notes.json").write_text("{}"), "unexpected file", "notes.json", "no part of LPFF",
    ),
    **{
        f"lpff: missing {name}": (LPFF, lambda home, name=name: (home / name).unlink(), "missing file", name, "https://")
        for name in (CAMERAS, "info.json", "raw_lm.json", "realign2400_lm.json")
    },
    **{
        f"lpff: malformed {name}": (
            STYLEGAN, lambda home, name=name: _truncate(home / name), "malformed file", name, "not a JSON file",
        )
        for name in (CAMERAS, "info.json", "raw_lm.json", "realign2400_lm.json")
    },
}  # fmt: skip


@pytest.mark.parametrize("source", [FFHQ, EG3D, EG3D_ZIP, CELEBAHQ, LPFF, STYLEGAN])
def test_the_samples_have_no_problem(source: Source, tmp_path: Path) -> None:
    assert build_index(source[1](tmp_path), source[0]).problems == []


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_problem_names_the_file(case: str, tmp_path: Path) -> None:
    (layout, make), damage, kind, name, words = PROBLEMS[case]
    home = make(tmp_path)
    damage(home)
    found = {(problem.kind, problem.id): problem.detail for problem in build_index(home, layout).problems}
    assert (kind, name) in found, found
    assert words in found[kind, name] and "\n" not in found[kind, name] and len(found[kind, name]) < 300


@pytest.mark.parametrize("source", [LPFF, STYLEGAN, EG3D_ZIP], ids=["lpff_eg3d", "lpff_stylegan", "ffhq_eg3d"])
def test_a_half_downloaded_zip(source: Source, tmp_path: Path) -> None:
    name, make = source
    home = make(tmp_path)
    path = home if home.is_file() else home / "crop" / f"{name.removeprefix('lpff_')}.zip"
    _truncate(path)
    for layout in (name, None) if home.is_file() else (name,):
        with pytest.raises(ValueError, match=f"{path} cannot be read as a zip file .*; copy or make it again"):
            build_index(home, layout)


@pytest.mark.parametrize("name", ["ffhq", "celebahq", "lpff_eg3d", "ffhq_eg3d"])
def test_a_folder_of_something_else_is_refused_in_one_line(name: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=f"{folder} is not laid out as {name}; expected .*https://[^\n]*$"):
        build_index(folder, name)


def test_a_broken_camera_does_not_cost_the_other_faces(tmp_path: Path) -> None:
    home = make_lpff(tmp_path)
    _edit(home / CAMERAS, lambda content: content[FACE].__setitem__(0, float("nan")))
    rows = build_index(home, "lpff_eg3d").rows
    missing = [name == FACE for name in rows["id"].to_pylist()]
    assert rows["camera"].is_null().to_pylist() == rows["theta"].is_null().to_pylist() == missing
