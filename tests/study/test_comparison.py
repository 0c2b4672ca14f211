"""Statistics over seeds: known answers, pairing, and no interval where there is none."""

import math

import numpy as np
import pytest
from scipy import stats

from facegen.study.comparison import better, compare, difference, interval, spread

T_3 = 4.302652729911275  # 97.5 % quantile of Student's t with two degrees of freedom, from tables


def test_interval_of_three_values_is_students() -> None:
    found = spread({"0": 1.0, "1": 2.0, "2": 3.0})
    half = T_3 / math.sqrt(3)
    assert (found["mean"], found["standard_deviation"]) == (2.0, 1.0)
    assert found["interval"] == pytest.approx([2 - half, 2 + half], rel=1e-9)


@pytest.mark.parametrize("count", [2, 3, 5, 30])
def test_interval_agrees_with_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(3, 2, count)
    wanted = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert interval(values.tolist()) == pytest.approx(wanted, rel=1e-9)


def test_one_value_has_no_interval() -> None:
    found = spread({"0": 1.5})
    assert found == {"values": {"0": 1.5}, "mean": 1.5, "standard_deviation": None, "interval": None}
    one = difference({"0": 1.0}, {"0": 9.0}, "lower")
    assert one is not None and (one["mean"], one["verdict"]) == (-8.0, "one seed")


def test_what_a_seed_does_to_both_runs_cancels() -> None:
    base, own = {"0": 10.0, "1": 20.0, "2": 30.0}, {"0": 9.0, "1": 19.1, "2": 28.9}
    paired = difference(own, base, "lower")
    shifted = difference(
        {s: v + 7 * int(s) for s, v in own.items()}, {s: v + 7 * int(s) for s, v in base.items()}, "lower"
    )
    assert paired is not None and shifted is not None
    assert paired["mean"] == pytest.approx(-1.0) and paired["interval"] == pytest.approx(shifted["interval"])
    assert paired["verdict"] == "better"  # although both runs' own intervals overlap widely


@pytest.mark.parametrize(
    ("values", "direction", "verdict"),
    [
        ([-1.0, -1.1, -0.9], "lower", "better"),
        ([-1.0, -1.1, -0.9], "higher", "worse"),
        ([-1.0, -1.1, -0.9], None, "lower"),
        ([1.0, 1.1, 0.9], None, "higher"),
        ([-1.0, -1.1, 1.0], "lower", "no clear difference"),
        ([0.0, 0.0, 0.0], "lower", "no clear difference"),
    ],
)
def test_verdicts(values: list[float], direction: str | None, verdict: str) -> None:
    own = {str(seed): value for seed, value in enumerate(values)}
    found = difference(own, dict.fromkeys(own, 0.0), direction)
    assert found is not None and found["verdict"] == verdict


def test_only_shared_seeds_are_compared() -> None:
    found = difference({"1": 3.0, "2": 4.0}, {"0": 0.0, "1": 1.0, "2": 3.0}, "lower")
    assert found is not None and found["values"] == {"1": 2.0, "2": 1.0}
    assert difference({"1": 3.0}, {"0": 0.0}, "lower") is None


def test_figures_that_are_missing_or_not_finite_are_left_out() -> None:
    def lines(*values: float | None) -> dict[str, list]:
        return {str(s): [{"metric": "fid", "name": "x", "value": v}] for s, v in enumerate(values)}

    (found,) = compare({"a": lines(1.0, 2.0), "b": lines(None, 1.0), "c": {"0": []}}, {"a": None, "b": "a", "c": "a"})
    assert found["runs"]["b"]["values"] == {"1": 1.0} and "c" not in found["runs"]
    assert found["differences"]["b"]["values"] == {"1": -1.0} and found["better"] == "lower"


def test_direction_of_a_metric() -> None:
    assert (better("fid3d"), better("recall"), better("colour")) == ("lower", "higher", None)
