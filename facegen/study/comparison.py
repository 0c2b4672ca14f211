"""Figures of several runs over several seeds, and what they say: means, spreads, differences, with intervals.

All intervals are Student's t at 95 %. Differences are paired: the same seed gives two runs the same initial weights and
the same order of images, so the seeds' common part cancels. With one seed there is no interval, and none is made up.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_LOWER = {"fid", "kid", "fid3d", "binned_fid", "matched_fid", "ppl", "depth_error", "pose_error"}
_HIGHER = {"precision", "recall", "density", "coverage", "diversity", "identity"}
_CONFIDENCE = 0.975  # of both sides together: 95 %


def better(metric: str) -> str | None:
    """Whether `lower` or `higher` figures are better, None where that is not known."""
    return "lower" if metric in _LOWER else "higher" if metric in _HIGHER else None


def interval(values: Sequence[float]) -> list[float] | None:
    """Student's 95 % interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit  # scipy takes a moment to import

    half = float(stdtrit(len(values) - 1, _CONFIDENCE)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    mean = float(np.mean(values))
    return [mean - half, mean + half]


def spread(values: dict[str, float]) -> dict[str, Any]:
    """Mean, standard deviation (n - 1) and interval of the values of seeds."""
    numbers = list(values.values())
    return {
        "values": values,
        "mean": float(np.mean(numbers)),
        "standard_deviation": float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None,
        "interval": interval(numbers),
    }


def difference(values: dict[str, float], baseline: dict[str, float], direction: str | None) -> dict[str, Any] | None:
    """Paired differences to the baseline over the seeds that both have; None where they share none."""
    paired = {seed: value - baseline[seed] for seed, value in values.items() if seed in baseline}
    if not paired:
        return None
    found = spread(paired)
    return {**found, "verdict": _verdict(found["mean"], found["interval"], direction)}


def _verdict(mean: float, limits: list[float] | None, direction: str | None) -> str:
    """`better`, `worse` (or `lower`, `higher` where neither is known), `no clear difference`, or `one seed`."""
    if limits is None:
        return "one seed"
    if limits[0] <= 0 <= limits[1]:
        return "no clear difference"
    sign = "lower" if mean < 0 else "higher"
    return sign if direction is None else "better" if sign == direction else "worse"


def compare(lines: dict[str, dict[str, list[dict[str, Any]]]], against: dict[str, str | None]) -> list[dict[str, Any]]:
    """Compare runs in every figure of one evaluation.

    `lines`: of each run and seed, the result lines of `facegen evaluate`. A figure is a metric and a name, and how
    often both came before (the same metric measured under a second protocol). `against`: the baseline of each run.
    """
    figures: dict[tuple[str, str, int], dict[str, dict[str, float]]] = {}
    for run, seeds in lines.items():
        for seed, results in seeds.items():
            for key, value in _values(results):
                figures.setdefault(key, {}).setdefault(run, {})[seed] = value
    return [_comparison(key, runs, against) for key, runs in figures.items()]


def _values(results: list[dict[str, Any]]) -> list[tuple[tuple[str, str, int], float]]:
    counts: dict[tuple[str, str], int] = {}
    found = []
    for line in results:
        name = line["metric"], line["name"]
        place = counts[name] = counts.get(name, -1) + 1
        if line.get("value") is not None and math.isfinite(line["value"]):
            found.append(((*name, place), float(line["value"])))
    return found


def _comparison(
    key: tuple[str, str, int], runs: dict[str, dict[str, float]], against: dict[str, str | None]
) -> dict[str, Any]:
    metric, name, _ = key
    direction = better(metric)
    pairs = {run: base for run in runs if (base := against[run]) is not None and base in runs}
    differences = {run: difference(runs[run], runs[base], direction) for run, base in pairs.items()}
    return {
        "metric": metric,
        "name": name,
        "better": direction,
        "runs": {run: spread(values) for run, values in runs.items()},
        "differences": {run: found for run, found in differences.items() if found is not None},
    }
