"""The rooms of generators and studies in a browser: turn a head, mix, draw, compare."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegen.checkpoint import save_network
from tests.cli.analytic_head import tiny_eg3d
from tests.explore.rooms.studies.test_runs import write_run
from tests.explore.visit import by, drag, said
from tests.networks.tiny_diffusion import tiny_latent_generator

pytestmark = pytest.mark.browser
CONTROLLED = "controlled"


@pytest.fixture(scope="module")
def address(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with a head, a model with a control, and two runs."""
    folder = tmp_path_factory.mktemp("opened")
    save_network(tiny_latent_generator(controls=("mask",)), folder / CONTROLLED)
    save_network(tiny_eg3d(), folder / "a_head")
    for name, rate in (("one", 0.1), ("two", 0.2)):
        write_run(folder / name, rate=rate)
    return serve(f"open={folder}")


def source_of(tab: Any, name: str) -> str:
    return by(tab, name).locator("img").first.get_attribute("src")


def test_turn_a_head_and_take_the_command_along(tab: Any, address: str) -> None:
    tab.goto(f"{address}generator")
    said(tab, "caption", r"yaw \+0°.* 32×32")
    before = source_of(tab, "picture")
    drag(tab, by(tab, "picture"), (0.5, 0.5), (0.75, 0.5))
    said(tab, "caption", r"yaw -30°")
    assert source_of(tab, "picture") != before
    by(tab, "seed-next").click()
    said(tab, "caption", r"seed 1 · yaw -30°")
    by(tab, "mix").click()
    with tab.expect_download() as saved:
        by(tab, "save").click()
    assert saved.value.suggested_filename == "seed0001.png"
    command = said(tab, "command", "facegen generate")
    assert re.search(r"seeds=1 'mix=\[2,\d+,\d+\]' 'labels=\[[-0-9.,e]+\]'", " ".join(command.split()))


def test_draw_what_controls_a_model(tab: Any, address: str) -> None:
    tab.goto(f"{address}generator")
    said(tab, "caption", "32×32")
    by(tab, "generator").click()
    tab.get_by_role("option", name=CONTROLLED).click()
    said(tab, "caption", "16×16")
    canvas = by(tab, "canvas-mask")
    drag(tab, canvas, (0.2, 0.2), (0.8, 0.8))
    tab.get_by_text("told by mask").wait_for()
    upload = tab.locator('input[type="file"]')
    upload.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    tab.get_by_text("this is no picture").wait_for()


def test_compare_two_runs(tab: Any, address: str) -> None:
    tab.goto(f"{address}studies")
    by(tab, "curves").wait_for()
    by(tab, "tab-Settings").click()
    said(tab, "table", "model.rate")
    assert "model.layers" not in by(tab, "table").inner_text()
    by(tab, "tab-Samples").click()
    tab.locator('img[src="/studies/samples/two/00010.500.png"]').wait_for()


def test_nothing_outside_is_reached(tab: Any, address: str, tmp_path: Path) -> None:
    for path in ("studies/samples/one/..%2f..%2fconfig.yaml.png", f"studies/report/{tmp_path}", "studies/report/one"):
        assert tab.request.get(address + path).status == 404
