"""`facegen data clean` as it is typed."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from facegen.data import Recipe
from tests.cli.conftest import Facegen
from tests.cli.fit_place import Place, make_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Faces with landmarks in their table."""
    return make_place(tmp_path_factory.mktemp("clean"))


def words(place: Place, out: Path, *more: str) -> list[str]:
    settings = [f"morphable={place.model}", "photometric=false", "landmarks=table"]
    return ["data", "clean", f"root={place.faces}", f"out={out}", *settings, *more]


def test_a_list_that_recipes_take(facegen: Facegen, place: Place, tmp_path: Path) -> None:
    out = tmp_path / "bad.txt"
    status, text, err = facegen(*words(place, out, "max_score=1"))
    assert status == 0 and "1 of 4 faces to leave out" in text, err
    recipe = Recipe({"root": str(place.faces), "exclude": str(out)})
    assert recipe.rows["id"].to_pylist() == ["face0", "face1", "face3"]
    with (tmp_path / "bad" / "scores.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["face2"]["reason"].startswith("landmarks implausible") and rows["face2"]["fit_score"] == ""
    assert rows["face0"]["reason"] == "" and 0 <= float(rows["face0"]["fit_score"]) <= 1
    assert (tmp_path / "bad" / "rejected.csv").read_text().splitlines()[1].startswith("face2,,landmarks implausible,")
    assert Image.open(tmp_path / "bad" / "worst.png").size == (2 * 768, 2 * 300)
    assert not (tmp_path / "bad" / "coeff").exists()


def test_other_limits_fit_nothing_again(facegen: Facegen, place: Place, tmp_path: Path) -> None:
    facegen(*words(place, tmp_path / "bad.txt"))
    status, text, _ = facegen(*words(place, tmp_path / "bad.txt", "max_score=0"))
    assert status == 0 and text.startswith("nothing to compute") and "4 of 4 faces to leave out" in text
    assert "3 photographs  resists fitting" in text
    assert (tmp_path / "bad.txt").read_text().splitlines()[1:] == ["face0", "face1", "face2", "face3"]


def test_the_worst_are_left_out(facegen: Facegen, place: Place, tmp_path: Path) -> None:
    status, _, err = facegen(*words(place, tmp_path / "bad.txt", "worst=0.4"))
    assert status == 0, err
    with (tmp_path / "bad" / "scores.csv").open() as file:
        scores = {row["id"]: float(row["fit_score"]) for row in csv.DictReader(file) if row["fit_score"]}
    assert (tmp_path / "bad.txt").read_text().splitlines()[1:] == sorted(["face2", max(scores, key=scores.__getitem__)])


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ([], "root is missing"),
        (["root=nowhere"], "nowhere does not exist"),
        (["root=faces", "out=list"], "out: got list, expected a text file such as exclude.txt"),
        (["root=faces", "max_score=2"], "max_score: got 2"),
        (["root=faces", "max_missing=true"], "max_missing"),
        (["root=faces", "worst=-1"], "worst: got -1"),
        (["root=faces", "landmarks=table", "layout=lpff"], "layout"),
        (["root=faces", "landmarks=all"], "landmarks: got 'all'"),
        (["root=faces", "morphable=nowhere.mat"], "morphable: nowhere.mat does not exist"),
        (["root=faces", "sheet=many"], "sheet"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], place: Place, monkeypatch: pytest.MonkeyPatch, given: list[str], answer: str
) -> None:
    monkeypatch.chdir(place.faces.parent)
    assert answer in refused(
        "data", "clean", *given, *([] if "morph" in str(given) else ["morphable=head.safetensors"])
    )
    assert not Path("exclude.txt").exists() and not Path("exclude").exists()
