"""Distances by pose: one curve and one heat map for every run, over its seeds."""

from typing import Any

import numpy as np

from facegen.reports import pose_figures
from facegen.reports.page import Block, Picture
from facegen.study.comparison import interval

_NORMAL = 1.96  # pose_figures draws bars of this many standard errors
_ERRORS = {"frechet": "standard_error", "kernel": "kernel_error", "frechet_all": None}


def blocks(results: dict[str, Any]) -> list[Block]:
    """Curves over yaw and pitch, and maps of both, of every pose-binned figure."""
    return [block for place in places(results) for block in of_figure(results, *place)]


def places(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Evaluation and name of every pose-binned figure."""
    return [*_binned(results)]


def of_figure(results: dict[str, Any], evaluation: str, name: str) -> list[Block]:
    """Curves and maps of one of them."""
    runs = _binned(results)[evaluation, name]
    titled = {results["runs"][run]["title"]: over_seeds(details) for run, details in runs.items()}
    about = f"{evaluation}, {name}".strip(", ").replace("->", " → ")
    text = "Lower is better. Bars and intervals are at 95 %: over the seeds where there are several, else over images."
    curves = [
        Picture(pose_figures.curve(titled, angle, title=about), f"distance over {angle}: {about}", "")
        for angle in ("yaw", "pitch")
    ]
    maps = [
        Picture(pose_figures.heat_map(title, titled), f"distance over yaw and pitch: {about}, {title}", "")
        for title in titled
    ]
    return [Block(f"Curves: {about}", text, curves), Block(f"Maps: {about}", "", maps)]


def over_seeds(details: list[dict[str, Any]]) -> dict[str, Any]:
    """Means of the seeds' distances; errors such that bars of 1.96 of them are Student's intervals over the seeds.

    A bin that a seed could not measure has no value. One seed keeps its own errors, which are those of the images.
    """
    if len(details) == 1:
        return details[0]
    merged = dict(details[0])
    for part in ("yaw", "pitch", "map"):
        merged[part] = dict(details[0][part])
        for value, error in _ERRORS.items():
            stacked = np.array([each[part][value] for each in details], dtype=np.float64)  # None becomes NaN
            merged[part][value] = stacked.mean(axis=0).tolist()
            if error is not None:
                merged[part][error] = np.apply_along_axis(_error, 0, stacked).tolist()
    return merged


def _error(values: np.ndarray) -> float:
    low, high = interval(values.tolist()) or [0.0, 0.0]
    return (high - low) / 2 / _NORMAL


def _binned(results: dict[str, Any]) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """Details of the pose-binned lines, by evaluation and name, then by run: one for each seed."""
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for run, values in results["runs"].items():
        for seed in values["seeds"].values():
            for evaluation, lines in seed["evaluations"].items():
                for line in lines:
                    if line["metric"] == "binned_fid" and line.get("details"):
                        place = found.setdefault((evaluation, line["name"]), {})
                        place.setdefault(run, []).append(line["details"])
    return found
