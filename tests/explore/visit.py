"""What a person does on the page, step by step: shared by the test and `python -m tests.explore.visit URL FOLDER`."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Shot = Callable[[str], None]


def by(tab: Any, name: str) -> Any:
    """The element that the page calls so."""
    return tab.locator(f'[data-testid="{name}"]').first


def said(tab: Any, name: str, pattern: str) -> str:
    """The text of an element as soon as it fits a pattern."""
    found = tab.locator(f'[data-testid="{name}"]').filter(has_text=re.compile(pattern)).first
    found.wait_for()
    return found.inner_text()


def drag(tab: Any, element: Any, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
    """Press, move and release over an element, between two points in shares of its width and height."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    (x, y), (to_x, to_y) = ((box["x"] + box["width"] * a, box["y"] + box["height"] * b) for a, b in (start, end))
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(to_x, to_y, steps=steps)
    tab.mouse.up()


def number_shown(tab: Any, pattern: str = r"^[\d,]+ of [\d,]+ face") -> int:
    """How many faces are chosen."""
    return int(said(tab, "count", pattern).split()[0].replace(",", ""))


def filter_by_dragging(tab: Any, address: str, shot: Shot) -> int:
    """Drag over the right half of the plot; how many faces are left."""
    tab.goto(address)
    every = number_shown(tab)
    drag(tab, by(tab, "density"), (0.6, 0.1), (0.98, 0.8))
    left = number_shown(tab, rf"^(?!{every:,} of)[\d,]+ of {every:,} face")
    shot("filtered")
    return left


def search(tab: Any, condition: str, shot: Shot) -> int:
    """Search among the faces that are chosen; how many are left."""
    before = number_shown(tab)
    by(tab, "where").fill(condition)
    by(tab, "where").press("Enter")
    left = number_shown(tab, rf"^(?!{before:,} of)[\d,]+ of [\d,]+ face")
    shot("searched")
    return left


def rate(tab: Any, stars: list[int], shot: Shot) -> None:
    """Rate faces one after the other."""
    by(tab, "tab-rate").click()
    for number, each in enumerate(stars):
        picture = by(tab, "rate-picture")
        picture.wait_for()
        before = picture.get_attribute("src")
        by(tab, f"stars-{each}").click()
        if number < len(stars) - 1:
            tab.wait_for_function(
                "([name, before]) => document.querySelector(`[data-testid=${name}]`).getAttribute('src') != before",
                arg=["rate-picture", before],
            )
    shot("rated")
    by(tab, "tab-gallery").click()


def save_recipe(tab: Any, name: str, shot: Shot) -> str:
    """Save what is chosen; the command that trains on it."""
    by(tab, "save").click()
    by(tab, "recipe-name").fill(name)
    by(tab, "recipe-write").click()
    shown = " ".join(said(tab, "recipe-command", "facegen train").split())
    shot("saved")
    tab.keyboard.press("Escape")
    command = re.search(r"facegen train .*data=\w+", shown)
    assert command is not None, shown
    return command[0]


def turn_head(tab: Any, address: str, shot: Shot) -> tuple[str, str]:
    """Turn the head of the first generator by dragging; its picture before and after."""
    tab.goto(f"{address}generator")
    picture = by(tab, "picture")
    image = picture.locator("img").first
    tab.wait_for_function("() => document.querySelector('[data-testid=picture] img')?.naturalWidth > 0")
    before = image.get_attribute("src")
    shot("head")
    drag(tab, picture, (0.5, 0.5), (0.85, 0.5), steps=12)
    tab.wait_for_function(
        "before => document.querySelector('[data-testid=picture] img').getAttribute('src') != before", arg=before
    )
    tab.wait_for_timeout(1500)  # the last frame, in full
    shot("turned")
    return before, image.get_attribute("src")


def compare_runs(tab: Any, address: str, shot: Shot) -> str:
    """Two runs side by side: their curves, and the settings in which they differ, which are returned."""
    tab.goto(f"{address}studies")
    tab.locator("svg").first.wait_for()
    tab.wait_for_timeout(500)
    shot("curves")
    by(tab, "tab-Settings").click()
    table = by(tab, "table")
    table.wait_for()
    shot("settings")
    return table.inner_text()


def _main(address: str, folder: str, condition: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = started.new_page(viewport={"width": 1280, "height": 800})

        def shot(name: str) -> None:
            tab.screenshot(path=Path(folder) / f"{name}.png")

        print("dragged:", filter_by_dragging(tab, address, shot))
        print("searched:", search(tab, condition, shot))
        rate(tab, [5, 4, 2, 1, 3], shot)
        print("saved:", save_recipe(tab, "visited", shot))
        turn_head(tab, address, shot)
        print("settings:", compare_runs(tab, address, shot))


if __name__ == "__main__":
    _main(*sys.argv[1:])
