"""The room in a browser, beside what `tests/explore/visit.py` does there."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.explore.conftest import write_faces

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("room") / "faces")


@pytest.fixture(scope="module")
def address(serve: Callable[..., str], root: Path) -> str:
    return serve(str(root))


def by(tab: Any, name: str) -> Any:
    return tab.locator(f'[data-testid="{name}"]').first


def counted(tab: Any, count: int) -> None:
    """Wait until so many faces are chosen."""
    tab.locator('[data-testid="count"]').filter(has_text=re.compile(rf"^{count} of")).wait_for()


def shown(tab: Any) -> list[str]:
    return [figure.get_attribute("title") for figure in tab.locator('[data-testid="gallery"] figure').all()]


def test_a_histogram_a_condition_and_an_order_narrow_the_gallery(tab: Any, address: str) -> None:
    tab.goto(address)
    counted(tab, 24)
    by(tab, "where").fill("hat and quality > 0.5")
    by(tab, "where").press("Enter")
    counted(tab, 6)
    assert shown(tab) == [f"img{number:03d}" for number in range(13, 24, 2)]
    plot = tab.locator('[data-testid="histogram"]').first  # of quality
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 2, box["y"] + 30, steps=4)
    tab.mouse.up()
    tab.locator(".q-chip").filter(has_text=re.compile("≤ quality(?! ≤)")).wait_for()  # up to its end: no upper bound
    tab.locator('[data-testid="count"]').filter(has_text=re.compile("^[2-4] of")).wait_for()
    for _ in range(2):
        tab.locator(".q-chip__icon--remove").first.click()
        tab.wait_for_timeout(300)
    counted(tab, 24)
    by(tab, "alone").click()
    counted(tab, 21)


def test_a_face_is_shown_with_what_is_known_and_found_again(tab: Any, address: str) -> None:
    tab.goto(address)
    counted(tab, 24)
    tab.locator('[data-testid="gallery"] figure').nth(6).click()
    tab.locator('[data-testid="face-id"]').filter(has_text="img006").wait_for()
    plain = tab.request.get(address + by(tab, "large").get_attribute("src")[1:]).body()
    by(tab, "layer-parsing").click()
    tab.wait_for_function("document.querySelector('[data-testid=large]').src.includes('parsing')")
    parsed = tab.request.get(address + by(tab, "large").get_attribute("src")[1:]).body()
    changed = np.asarray(Image.open(io.BytesIO(parsed))).astype(int) - np.asarray(Image.open(io.BytesIO(plain)))
    assert abs(changed[:, :380]).mean() > 10 * abs(changed[:, 390:]).mean()
    tab.keyboard.press("ArrowRight")
    tab.locator('[data-testid="face-id"]').filter(has_text="img007").wait_for()
    tab.get_by_text("Faces like this").click()
    counted(tab, 23)  # all but itself
    assert set(shown(tab)[:2]) == {"img006", "img008"}  # by the angle between their embeddings


def test_near_duplicates_lie_side_by_side(tab: Any, address: str) -> None:
    tab.goto(address)
    counted(tab, 24)
    by(tab, "tab-near-duplicates").click()
    tab.locator('[data-testid="groups-count"]').filter(has_text="2 groups of 5 faces").wait_for()
    assert [kept.get_attribute("title") for kept in tab.locator("figure.kept").all()] == ["img000", "img004"]
    tab.get_by_text("In gallery").nth(1).click()
    counted(tab, 2)
    assert shown(tab) == ["img004", "img005"]


def test_what_cannot_be_used_is_said_and_the_page_goes_on(tab: Any, address: str) -> None:
    tab.goto(address)
    counted(tab, 24)
    by(tab, "where").fill("qualty > 0.5")
    by(tab, "where").press("Enter")
    tab.get_by_text("did you mean quality").wait_for()
    file = {"name": "x.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n broken"}
    tab.locator('input[type="file"]').first.set_input_files(file)
    tab.get_by_text("The example cannot be used").wait_for()
    counted(tab, 24)
