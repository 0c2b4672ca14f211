"""`facegen data stats` as it is typed: the page, its pictures and numbers, two recipes, wrong input."""

import base64
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen import cli
from tests.cli.conftest import Facegen
from tests.data.test_statistics import LEVEL, add_vectors, make

HOSTILE = "<script>alert('$x_{$')<b>&amp;\"é\u202e"
_VOID = {"meta", "img", "br", "hr"}


class Reader(HTMLParser):
    """Checks that every element is closed in its order, and collects what a test asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces with cameras and coefficients in a folder with a hostile name, and some more in another."""
    base, rng = tmp_path_factory.mktemp("stats"), np.random.default_rng(0)
    root = make(base / HOSTILE, [*LEVEL, (80.0, 70.0)])
    add_vectors(root, "coefficients", {str(n): list(rng.normal(size=257)) for n in range(5)})
    make(base / "more", [(95.0, 85.0), (60.0, 95.0), (150.0, 80.0)])
    return base


@pytest.fixture(scope="module")
def looked(faces: Path) -> Path:
    """The folder that the command wrote for two recipes, the first of two sources."""
    out, mine = faces / "out", faces / "mine"
    (mine / "data").mkdir(parents=True)
    roots = json.dumps([str(faces / HOSTILE), str(faces / "more")])
    (mine / "data" / "both.yaml").write_text(f"defaults: [folder, _self_]\nroot: {roots}\nrebalance: lpff\n")
    words = ["data=both", "--config-dir", str(mine), "against=folder", f"against.root={faces / HOSTILE}"]
    assert cli.main(["data", "stats", *words, "against.mirror=true", f"out={out}"]) == 0
    return out


def test_page_is_well_formed_and_whole(looked: Path) -> None:
    page = Reader((looked / "index.html").read_text(encoding="utf-8"))
    pictures = page.all("img")
    kinds = ("poses", "density", "yaw-pitch", "angles", "sizes")
    assert len(pictures) == 4 * len(kinds) + 2 * 3  # two recipes and two sources; one source has no coefficients
    for attributes in pictures:
        assert (attributes["alt"] or "").strip() and (attributes["src"] or "").startswith("data:image/png;base64,")
    inside = {base64.b64decode((attributes["src"] or "").partition(",")[2]) for attributes in pictures}
    assert inside == {path.read_bytes() for path in looked.glob("*.png")}
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))
    assert all("http" not in str(attributes.get("src")) for _, attributes in page.found)
    assert {f"#{attributes['id']}" for attributes in page.all("section") if "id" in attributes} == {
        attributes["href"] for attributes in page.all("a") if (attributes["href"] or "").startswith("#")
    }


def test_hostile_names_are_only_text(looked: Path) -> None:
    text = (looked / "index.html").read_text(encoding="utf-8")
    page = Reader(text)
    assert not page.all("script") and not page.all("b")[6:]  # the bold numbers of the tiles
    assert "\u202e" not in text
    assert any(HOSTILE.replace("\u202e", "?") in words for words in page.words)
    assert all(re.fullmatch(r"[\w.-]+", path.name) for path in looked.iterdir())


def test_numbers_on_the_page(looked: Path) -> None:
    found = json.loads((looked / "stats.json").read_text())
    first, second = found["recipes"]
    assert (first["faces"], second["faces"], second["items"]) == (8, 5, 10)
    assert found["images"] == {"both": 5, "first_only": 3, "second_only": 0}
    page = Reader((looked / "index.html").read_text(encoding="utf-8"))
    words = " ".join(page.words)
    assert f"{second['poses']['turned']['items']['30'] * 100:.1f} %" in words
    assert "5 images are in both recipes" in words and "-3" in page.words
    assert second["recipe"]["fingerprint"][:12] in words


def test_pictures_show_something(looked: Path) -> None:
    for path in looked.glob("*.png"):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert min(pixels.shape[:2]) > 300 and (pixels != 255).any(-1).mean() > 0.005, path.name


def test_a_folder_without_anything(facegen: Facegen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (make(tmp_path / "bare", [None, None]) / "dataset.json").unlink()
    status, out, _ = facegen("data", "stats", "data.root=bare")
    assert status == 0 and "1 pictures" in out and "faces" in out
    words = " ".join(Reader(Path("bare-stats/index.html").read_text()).words)
    assert "Nothing is known of poses, expression, light" in words


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "data.root is missing"),
        (["data.root=nowhere"], "nowhere does not exist"),
        (["data.root=more", "against=foldr"], "against=foldr: got 'foldr', expected one of"),
        (["data.root=more", "against=folder"], "against.root is missing: add against.root=VALUE (folder or zip"),
        (["data.root=more", "against=./more"], "against=folder against.root=./more"),
        (["data.root=more", "against.root=more"], "no such setting"),
        (["data.root=more", "against=folder", "against.root=more", "against.mirror=7"], "against.mirror: got 7"),
        (["data.root=more", "out=more/0.png/x"], "not a folder"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], faces: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], answer: str
) -> None:
    monkeypatch.chdir(faces)
    assert answer in refused("data", "stats", *words)


def test_names_of_recipes(facegen: Facegen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe is called by its file, also one of a user's own folder; a folder by its name; two alike are numbered."""
    monkeypatch.chdir(tmp_path)
    (make(tmp_path / "bare", [None]) / "dataset.json").unlink()
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "few.yaml").write_text("defaults: [folder, _self_]\nroot: bare\n")
    assert facegen("data", "stats", "data.root=bare", "against=few", "--config-dir", "mine")[0] == 0
    assert facegen("data", "stats", "data.root=bare", "against=folder", "against.root=bare")[0] == 0
    made = ["bare+few-stats", "bare_1+bare_2-stats"]
    assert sorted(path.name for path in tmp_path.glob("*-stats") if (path / "index.html").exists()) == made


def test_help_explains_the_second_recipe(facegen: Facegen) -> None:
    text = facegen("data", "stats", "against=folder", "--help")[1]
    assert re.search(r"against\.root +\?\?\? +folder or zip of images", text)
    assert "  against=" in text and "chosen" in text


@pytest.mark.browser
def test_page_in_a_browser(looked: Path, tmp_path: Path) -> None:
    """Every picture is drawn, and nothing is wider than a telephone."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    page = html.escape((looked / "index.html").read_text(encoding="utf-8"))
    measure = """const f = document.querySelector('iframe'), d = f.contentDocument, p = [...d.images];
        const e = d.documentElement, fits = e.scrollWidth <= e.clientWidth && e.clientWidth > 300;
        f.replaceWith(JSON.stringify([fits, p.length, p.every(i => i.naturalWidth > 400)]))"""
    outer = (
        f'<iframe style="width:400px;height:900px;border:0" srcdoc="{page}" onload="{html.escape(measure)}"></iframe>'
    )
    (tmp_path / "outer.html").write_text(outer, encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=10000",
        f"--user-data-dir={tmp_path}",
    ]
    command = [browser, *options, "--dump-dom", (tmp_path / "outer.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "[true,26,true]" in done.stdout
