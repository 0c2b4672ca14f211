"""`facegen data taste` as it is typed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Facegen
from tests.curation.taste.rated_source import FACES, WITHOUT, make_source, tastes


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_nothing_to_a_column(facegen: Facegen, place: Path) -> None:
    """The first call proposes faces; ratings come by the line and by a file; then there is a taste."""
    ratings = make_source(place / "faces")
    status, out, _ = facegen("data", "taste", "root=faces", "out=look", "next=9")
    assert status == 0 and "0 of 77 faces rated" in out and "no taste yet" in out and "rate next: 000" in out
    assert Image.open("look/next.png").width == 3 * 128 and not Path("look/best.png").exists()

    assert facegen("data", "taste", "root=faces", "like=[00001,00002]", "dislike=00003", "rater=ben")[0] == 0
    assert ratings.current("ben") == {"00001": 1.0, "00002": 1.0, "00003": 0.0}
    assert np.isfinite(tastes(place / "faces")).sum() == FACES - WITHOUT

    lines = [f"{face:05d},{'like' if face % 3 else 'dislike'}" for face in range(30)]
    Path("ratings.csv").write_text("\n".join(["id,rating", *lines]))
    status, out, _ = facegen("data", "taste", "root=faces", "import=ratings.csv", "rater=anna")
    assert status == 0 and "30 new ratings" in out and "30 of 77 faces rated: 20 liked, 10 disliked" in out


def test_what_is_said_and_drawn(facegen: Facegen, place: Path) -> None:
    ratings = make_source(place / "faces", rated=40)
    with ratings.path.open("a") as file:
        file.write("nonsense\n")
    (place / "faces" / "00077.png").unlink()
    status, out, _ = facegen("data", "taste", "root=faces", "out=look", "count=4", "next=2")
    assert (
        status == 0
        and "cross-validated: AUC 0." in out
        and "1 lines are no ratings and left out (first: line 41)" in out
    )
    found = json.loads(Path("look/taste.json").read_text())
    assert found["ratings"] == 40 and found["auc"]["low"] <= found["auc"]["value"] <= found["auc"]["high"]
    best, worst = (np.asarray(Image.open(f"look/{name}.png"))[:128, :, 0].mean() for name in ("best", "worst"))
    assert best > worst + 50  # the pictures are as red as the planted taste likes them
    assert Image.open("look/reliability.png").width == 400


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["root=nowhere"], "nowhere does not exist"),
        (["root=faces", "like=[nobody]"], "like, dislike: got 'nobody', expected ids of faces such as '00000'"),
        (["root=faces", "like=[00079]"], "got '00079'"),
        (["root=faces", "next=0"], "next: got 0, expected at least 1"),
        (["root=faces", "import=none.csv"], "import: none.csv cannot be read"),
        ([], "root is missing"),
    ],
)
def test_mistakes(refused: Callable[..., str], place: Path, words: list[str], answer: str) -> None:
    ratings = make_source(place / "faces")
    assert answer in refused("data", "taste", *words)
    assert not ratings.path.exists()


def test_faces_without_embeddings(refused: Callable[..., str], place: Path) -> None:
    (place / "bare").mkdir()
    Image.new("RGB", (8, 8)).save(place / "bare" / "0.png")
    assert "facegen data index" in refused("data", "taste", "root=bare")
