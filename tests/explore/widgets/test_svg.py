"""Plots as SVG."""

import xml.etree.ElementTree as xml

import numpy as np

from facegen.explore.widgets.axes import Axis, Frame
from facegen.explore.widgets.svg import axes_svg, bars_svg, box_svg

FRAME = Frame(100, 60, 10, 5, 10, 15)


def test_names_of_columns_are_text_whatever_they_hold() -> None:
    drawn = xml.fromstring(f"<svg>{axes_svg(FRAME, Axis('<script>x</script>&', 0, 1), Axis('b', 0, 1))}</svg>")
    assert drawn.find(".//script") is None
    assert "<script>x</script>&" in [text.text for text in drawn.iter("text")]


def test_the_highest_bar_fills_the_plot() -> None:
    drawn = xml.fromstring(f"<svg>{bars_svg(FRAME, [np.array([1.0, 4.0]), np.zeros(2)], ('grey', 'blue'))}</svg>")
    points = [tuple(map(float, pair.split(","))) for pair in drawn[0].attrib["points"].split()]
    assert min(y for _, y in points) == FRAME.top
    assert (10, 45 - 10) in points  # a quarter of 40 pixels


def test_a_box_is_the_same_from_any_corner() -> None:
    assert box_svg((30, 40), (10, 20)) == box_svg((10, 20), (30, 40))
    assert 'x="10.0" y="20.0" width="20.0" height="20.0"' in box_svg((30, 40), (10, 20))
