"""A small source of faces with every kind of column the page knows, and the page in a browser."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.data import table
from facegen.data.index import build_index
from facegen.data.poses import random_label
from tests.data.helpers import noise
from tests.programs import start

COUNT, SIDE = 24, 32
PARTS_FOLDER = ".described/parsing"


@pytest.fixture
def make_faces(tmp_path: Path) -> Callable[..., Path]:
    """A folder of 24 pictures with cameras and a table; see `write_faces`."""
    return lambda name="faces", **options: write_faces(tmp_path / name, **options)


def write_faces(root: Path, count: int = COUNT) -> Path:
    """Pictures `img000..` with cameras of large poses, and a table with columns of each kind.

    quality: n/count, none for the first. Faces 0, 1, 2 and 4, 5 are near-duplicates, 0 and 4 to keep. Embeddings: unit
    vectors in a half circle. landmarks68: all points at (8, 16). parsing: skin on the left half.
    """
    (root / PARTS_FOLDER).mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = [f"img{number:03d}" for number in range(count)]
    for number, name in enumerate(names):
        Image.fromarray(noise(SIDE, number)).save(root / f"{name}.png")
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        mask[:, : SIDE // 2] = 1
        Image.fromarray(mask).save(root / PARTS_FOLDER / f"{name}.png")
    labels = [[f"{name}.png", random_label("large", rng).tolist()] for name in names]
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    build_index(root)
    table.set_columns(table.table_path(root), columns_of(names))
    return root


def columns_of(names: list[str]) -> pa.Table:
    """What stages of curation would have found."""
    count = len(names)
    angles = np.linspace(0, np.pi, count)
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    points = np.tile([8.0, 16.0], (count, 68)).astype(np.float32)
    groups = {0: (7, None), 1: (7, 0), 2: (7, 0), 4: (9, None), 5: (9, 4)}
    of = [groups.get(n, (None, None))[1] for n in range(count)]
    return pa.table(
        {
            "id": names,
            "quality": pa.array([None, *(n / count for n in range(1, count))], pa.float32()),
            "flags": pa.array([["hat"] if n % 2 else [] for n in range(count)], pa.list_(pa.string())),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), 2),
            "landmarks68": pa.FixedSizeListArray.from_arrays(pa.array(points.ravel()), 136),
            "parsing": [f"{PARTS_FOLDER}/{name}.png" for name in names],
            "duplicate_group": pa.array([groups.get(n, (None, None))[0] for n in range(count)], pa.int32()),
            "duplicate_of": pa.array([None if n is None else names[n] for n in of], pa.string()),
            "duplicate_cosine": pa.array([None if n is None else 0.95 for n in of], pa.float32()),
        }
    )


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts `facegen explore` with some words in a process of its own; the address of the page."""
    folder = tmp_path_factory.mktemp("pages")
    programs = []

    def started(*words: str) -> str:
        log = folder / f"page{len(programs)}.log"
        programs.append(start(["explore", *words, "port=0", f"outdir={folder}"], log, folder))
        return _address(log)

    yield started
    for program in programs:
        program.terminate()
        program.join(10)


def _address(log: Path) -> str:
    """The address that a page has printed."""
    for _ in range(600):
        if found := re.search(r"^http://\S+", log.read_text(), re.MULTILINE):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a screen. Not for the session: while Playwright runs, asyncio.run cannot."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium (apt install chromium)")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab of the size for which the page is made. What a script of the page complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)  # a machine that is shared
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors
