"""Hints drawn by hand or uploaded."""

import io

import numpy as np
import pytest
from PIL import Image

from facegen.data.part_orders import part_colors, part_names
from facegen.explore.rooms.generator.drawing import Stroke, drawn, empty, palette, svg, uploaded
from facegen.explore.rooms.generator.wishes import Angle


def png(array: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array, mode).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(("control", "paper"), [("sketch", 255), ("mask", 0), ("parts", 0), ("render", 0)])
def test_papers(control: str, paper: int) -> None:
    assert (empty(control, 8) == paper).all()


def test_strokes_have_no_colours_between() -> None:
    colors = palette("parts")
    strokes = [Stroke(colors["skin"], 0.25, [(0.2, 0.2), (0.8, 0.8)]), Stroke(colors["hair"], 0.1, [(0.5, 0.1)])]
    picture = drawn(strokes, empty("parts", 32))
    found = {"#{:02x}{:02x}{:02x}".format(*color) for color in picture.reshape(-1, 3).tolist()}
    assert found == {next(iter(colors.values())), colors["skin"], colors["hair"]}
    assert picture[16, 16].tolist() == [int(colors["skin"][at : at + 2], 16) for at in (1, 3, 5)]
    assert svg(strokes, 32).count("<polyline") == 2


def test_palettes_are_the_colours_that_models_are_trained_with() -> None:
    for control in ("parts", "mask", "segmentation"):
        names = part_names(control)
        assert list(palette(control)) == list(names)
        assert palette(control)[names[1]] == "#{:02x}{:02x}{:02x}".format(*part_colors(names)[1].tolist())


def test_uploads_are_squares_of_the_models_size() -> None:
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, 10:30] = 200  # the middle square
    assert uploaded(png(wide), "render", 16).shape == (16, 16, 3)
    assert (uploaded(png(wide), "render", 16) == 200).all()
    ids = np.full((10, 10), 2, np.uint8)
    expected = part_colors(part_names("mask"))[2]
    assert (uploaded(png(ids, "L"), "mask", 16) == expected).all()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no picture"),
        (b"<svg onload=alert(1)>", "no picture"),
        (png(np.zeros((64, 64, 3), np.uint8))[:30], "no picture"),
        (png(np.full((4, 4), 200, np.uint8), "L"), "part 200"),
        (png(np.zeros((8000, 8000), np.uint8), "L"), "at most"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        uploaded(content, "mask", 16)


def test_the_head_follows_the_hand() -> None:
    turned = Angle().dragged(0.25, 0.1)
    assert turned.yaw == -30 and turned.pitch == 12  # dragged to the right: seen from the left
    assert Angle().dragged(9, 9) == Angle(-180, 80)
    assert Angle().zoomed(100).zoom == 4 and Angle().zoomed(0.001).zoom == 0.25
