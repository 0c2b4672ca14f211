import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data import Recipe
from facegen.data.check import quick_check
from facegen.data.index import build_index
from facegen.data.inspection import inspect_image
from facegen.data.validate import validate, write_report
from tests.data.helpers import camera, noise


def spoil(root: Path) -> dict[str, str]:
    """Add one bad file of every kind; returns the expected kind by name."""
    good = (root / "00000" / "img00000001.png").read_bytes()
    save = lambda image, name, **options: image.save(root / name, **options)  # noqa: E731
    save(Image.fromarray(noise(16, 50)[..., 0]), "grey.png")
    save(Image.fromarray(noise(16, 51)).convert("RGBA"), "alpha.png")
    save(Image.fromarray(noise(16, 52)[..., 0].astype(np.uint16) * 200), "deep.png")
    save(Image.fromarray(noise(16, 53)).convert("CMYK"), "cmyk.jpg")
    save(Image.fromarray(noise(32, 54)), "large.png")
    save(Image.fromarray(noise(16, 55, 12)), "wide.png")
    (root / "copy.png").write_bytes(good)
    (root / "cut.png").write_bytes(noise_png(60)[:-30])
    (root / "endless.png").write_bytes(noise_png(61)[:-8])
    (root / "text.png").write_text("this is no image")
    (root / "empty.jpg").write_bytes(b"")
    (root / "jpeg.png").write_bytes(noise_png(62, "jpeg"))
    flipped = bytearray(noise_png(63))
    flipped[-30] ^= 0xFF
    (root / "flipped.png").write_bytes(flipped)
    return {
        "grey.png": "greyscale", "alpha.png": "with an alpha channel (RGBA)", "deep.png": "16-bit", "cmyk.jpg": "CMYK",
        "large.png": "mixed sizes", "wide.png": "not square", "copy.png": "identical copy", "cut.png": "corrupt",
        "endless.png": "corrupt", "text.png": "unreadable", "empty.jpg": "unreadable", "jpeg.png": "misnamed",
        "flipped.png": "corrupt",
    }  # fmt: skip


def noise_png(seed: int, codec: str = "png") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(16, seed)).save(buffer, codec)
    return buffer.getvalue()


def test_clean_sources(folder: Path, labelled: Path) -> None:
    report = validate(folder)
    assert report.clean and (report.images, report.ignored_files, report.labels) == (12, 1, 0)
    assert report.sizes == {"16x16": 12}
    report = validate(labelled, resolution=16, labels=True)
    assert report.clean and report.labels == 6


def test_every_kind_of_bad_file_is_named(labelled: Path, make_zip: Callable[..., Path]) -> None:
    expected = spoil(labelled)
    for root in (labelled, make_zip(labelled)):
        problems = {Path(p.id).name.split(":")[-1].split(".")[0]: p.kind for p in validate(root, labels=False).problems}
        assert problems == {name.split(".")[0]: kind for name, kind in expected.items()}


def test_processes_find_what_one_finds(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(labelled)
    alone = validate(labelled, workers=0)
    monkeypatch.setattr("facegen.data.validate.WORTH_PROCESSES", 1)
    monkeypatch.setattr("facegen.data.validate.CHUNK", 4)
    assert validate(labelled, workers=2) == alone


def test_training_names_what_headers_show(labelled: Path) -> None:
    """All but damage in the middle of a file, which only decoding finds."""
    expected = spoil(labelled)
    hidden = {"copy.png", "jpeg.png", "flipped.png"}
    with pytest.raises(ValueError) as caught:
        quick_check(Recipe(labelled))
    assert f"{len(expected) - len(hidden)} problems" in str(caught.value) and "\n" not in str(caught.value)


def test_expected_resolution(folder: Path) -> None:
    assert validate(folder, resolution=32).counts().keys() == {"wrong size"}
    Image.fromarray(noise(32, 0)).save(folder / "big.png")
    (problem,) = validate(folder, resolution=16).problems
    assert problem.kind == "wrong size" and "32x32, expected 16" in problem.detail
    (problem,) = validate(folder).problems
    assert problem.kind == "mixed sizes"


def test_labels(labelled: Path, folder: Path, set_labels: Callable) -> None:
    def change(labels: list) -> list:
        nan = [*camera(1)[:5], float("nan"), *camera(1)[6:]]
        return [[labels[0][0], camera(0)[:24]], [labels[1][0], nan], *labels[2:5], ["ghost.png", camera(0)]]

    set_labels(labelled, change)
    found = {(p.kind, Path(p.id).name) for p in validate(labelled).problems}
    assert found == {
        ("malformed label", "img00000000.png"),
        ("malformed label", "img00000001.png"),
        ("missing label", "img00000005.png"),
        ("label without image", "ghost.png"),
    }
    assert validate(labelled, labels=False).clean
    assert [p.kind for p in validate(folder, labels=True).problems] == ["missing labels"]
    (labelled / "dataset.json").write_text("{")
    assert "malformed labels" in validate(labelled).counts()


def test_cameras_that_do_not_see_the_face(labelled: Path, set_labels: Callable) -> None:
    def change(labels: list) -> list:
        pixels = [*camera(0)[:16], 2985.29, 0, 512, 0, 2985.29, 512, 0, 0, 1]
        return [[labels[0][0], pixels], *labels[1:]]

    set_labels(labelled, change)
    report = validate(labelled)
    (problem,) = report.problems
    assert (problem.kind, problem.id) == ("implausible camera", "00000/img00000000.png") and "pixels?" in problem.detail
    assert report.labels == 6
    assert validate(labelled, labels=False).clean
    with pytest.warns(UserWarning, match=r"1 implausible camera\)\. First: 00000/img00000000: focal .* EG3D cannot"):
        quick_check(Recipe(labelled, labels=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick_check(Recipe(labelled, labels=False))


def test_duplicate_ids_and_old_indices(folder: Path) -> None:
    build_index(folder)
    Image.fromarray(noise(16, 77)).save(folder / "new.png")
    assert validate(folder).counts().keys() == {"index out of date"}
    Image.fromarray(noise(16, 78)).save(folder / "a" / "01.jpg")
    assert "duplicate id" in validate(folder).counts()


def test_report_is_json(labelled: Path, tmp_path: Path) -> None:
    spoil(labelled)
    reports = [validate(labelled)]
    write_report(reports, tmp_path / "new" / "report.json")
    content = json.loads((tmp_path / "new" / "report.json").read_text())
    assert content["clean"] is False and content["sources"] == [reports[0].as_dict()]
    assert content["sources"][0]["counts"]["corrupt"] == 3
    assert set(content["sources"][0]["problems"][0]) == {"kind", "id", "detail"}


def test_every_truncation_of_an_image_is_found() -> None:
    for codec in ("png", "jpeg"):
        data = noise_png(1, codec)
        for cut in range(0, len(data), 7):
            assert inspect_image(data[:cut], codec).kind in ("unreadable", "corrupt")
        assert inspect_image(data, codec).kind == ""
        assert inspect_image(data + b"trailing bytes" * 20, codec).kind == ""


@pytest.mark.parametrize("resolution", [None, 8])
def test_the_check_before_training_follows_the_recipe(folder: Path, resolution: int | None) -> None:
    quick_check(Recipe(folder, resolution))
    Image.fromarray(noise(12, 7)).save(folder / "other.png")
    Image.fromarray(noise(16, 7)[..., 0]).save(folder / "grey.png")
    expected = 2 if resolution is None else 1
    with pytest.raises(ValueError, match=f"^{expected} problem"):
        quick_check(Recipe(folder, resolution))
    if resolution is None:
        with pytest.raises(ValueError, match=r"^1 problem .*other\.png: 12x12, most are 16x16"):
            quick_check(Recipe(folder, convert=True))
    else:
        quick_check(Recipe(folder, resolution, convert=True))


def test_an_unreadable_first_image_is_named(folder: Path) -> None:
    (folder / "a" / "00.png").write_bytes(b"")
    assert Recipe(folder).resolution == 16
    with pytest.raises(ValueError, match=r"none of the first 1 images can be read; .*00\.png: the file is empty"):
        Recipe({"root": folder, "ids": ["a/00"]})
