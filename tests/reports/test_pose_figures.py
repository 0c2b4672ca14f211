"""Figures of distances by pose: that they are pictures, the same every time, and show what they are given."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.reports.pose_figures import curve, heat_map

YAW, PITCH = [-90, -20, 20, 90], [-45, 0, 45]


def result(values: list[float | None], scale: float = 1.0) -> dict[str, Any]:
    """What `BinnedDistance.as_dict` gives for three bins of yaw and two of pitch."""

    def bins(shown: list) -> dict[str, list]:
        scaled = [None if value is None else scale * value for value in shown]
        fields = ("frechet", "standard_error", "frechet_all", "kernel", "kernel_error")
        return {name: scaled for name in fields} | {"num_real": [90] * len(shown), "num_generated": [7] * len(shown)}

    maps = {name: [row, row] for name, row in bins(values).items()}
    edges = {"yaw_edges_degrees": YAW, "pitch_edges_degrees": PITCH, "fold_yaw": False}
    parts = {"yaw": bins(values), "pitch": bins(values[:2]), "map": maps}
    return parts | {"bins": edges, "num_per_bin": 64, "components": 32}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("angle, quantity", [("yaw", "frechet"), ("pitch", "kernel")])
def test_a_curve_shows_every_result(angle: Any, quantity: Any) -> None:
    first, second = result([5.0, 2.0, 4.0]), result([5.0, 2.0, 4.0], 1.5)
    one, both = (pixels(curve(each, angle, quantity)) for each in ({"a": first}, {"a": first, "b": second}))
    orange = np.array([0xD5, 0x5E, 0x00])
    assert not (one == orange).all(axis=2).any()
    assert (both == orange).all(axis=2).sum() > 100


def test_figures_are_the_same_every_time() -> None:
    for draw in (lambda given: curve(given, "yaw", "frechet_all"), lambda given: heat_map("a", given)):
        assert draw({"a": result([5.0, 2.0, 4.0])}) == draw({"a": result([5.0, 2.0, 4.0])})


def test_an_empty_bin_breaks_the_line_and_is_hatched_in_the_map() -> None:
    whole, broken = {"a": result([5.0, 2.0, 4.0])}, {"a": result([5.0, None, 4.0])}
    blue = np.array([0x2B, 0x6C, 0xB0])
    drawn = [(pixels(curve(each)) == blue).all(axis=2).sum() for each in (whole, broken)]
    assert drawn[1] < 0.75 * drawn[0]
    hatch = np.array([0x8D, 0x99, 0xA6])
    counts = [(pixels(heat_map("a", each)) == hatch).all(axis=2).sum() for each in (whole, broken)]
    assert counts[1] > counts[0] + 500


def test_colours_of_a_map_fit_all_results() -> None:
    small, large = result([5.0, 2.0, 4.0]), result([5.0, 2.0, 4.0], 100)
    alone, beside = heat_map("a", {"a": small}), heat_map("a", {"a": small, "b": large})
    assert np.abs(pixels(alone) - pixels(beside)).sum() > 1e6


def test_results_without_any_number_are_drawn_too() -> None:
    nothing = {"a": result([None, None, None])}
    assert pixels(curve(nothing)).std() > 0
    assert pixels(heat_map("a", nothing)).std() > 0
