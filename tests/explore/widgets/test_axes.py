"""Axes and frames of plots."""

import math

import numpy as np
import pytest

from facegen.explore.widgets.axes import Axis, Frame, axis_of


def test_outliers_do_not_stretch_an_axis() -> None:
    values = np.append(np.linspace(-40, 40, 10_000), [9e6, np.nan, -np.inf])
    axis = axis_of("yaw", values)
    assert -45 < axis.low < -40 < 40 < axis.high < 45
    assert axis.shares(np.array([9e6]))[0] == 1  # drawn at the end, not lost


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [0.0, 0.0]])
def test_every_column_has_an_axis(values: list[float]) -> None:
    axis = axis_of("a", np.array(values, dtype=float))
    assert axis.low < axis.high
    assert all(axis.low <= value <= axis.high for value in values if math.isfinite(value))


def test_what_is_dragged_to_an_end_holds_everything_beyond() -> None:
    axis = Axis("a", 10.0, 20.0)
    assert axis.between(0.75, 0.25) == (12.5, 17.5)
    assert axis.between(-0.1, 0.5) == (-math.inf, 15.0)
    assert axis.between(0.5, 1.0) == (15.0, math.inf)


def test_ticks_are_round_and_inside() -> None:
    ticks = Axis("a", -41.3, 38.9).ticks(6)
    assert 3 <= len(ticks) <= 6
    assert all(0 <= share <= 1 for share, _ in ticks)
    assert "0" in [text for _, text in ticks]


def test_pixels_and_shares_are_inverse() -> None:
    frame = Frame(400, 280, 46, 8, 10, 34)
    assert frame.pixel(0, 0) == (46, 246)
    assert frame.pixel(1, 1) == (390, 8)
    assert frame.shares(*frame.pixel(0.3, 0.8)) == pytest.approx((0.3, 0.8))
