"""Labels as NVIDIA's tools ship them: `dataset.json` with {"labels": [["00000/img00000000.png", [25 floats]], ...]}."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from facegen.data.problems import Problem

CAMERA_SIZE = 25
CAMERA_TYPE = pa.list_(pa.float32(), CAMERA_SIZE)
LABELS_FILE = "dataset.json"
ROTATION_TOLERANCE = 1e-2  # published labels are rounded; a transposed or scaled matrix is off by far more


class Labels(NamedTuple):
    """A column of labels aligned with the images (`camera`, or `label` for class numbers) and what is wrong with it."""

    name: str
    column: pa.Array
    problems: list[Problem]


def read_labels(text: bytes, names: Sequence[str]) -> Labels | None:
    """Parse `dataset.json` for the images of the given names (relative to the file, with suffix).

    Returns None for `{"labels": null}`. Nothing is raised: a label that cannot be used is null in the column and
    named in the problems.
    """
    try:
        content = json.loads(text)
        entries = content["labels"]
    except (ValueError, KeyError, TypeError) as error:
        reason = f"not a JSON file ({error})" if isinstance(error, ValueError) else 'no entry "labels"'
        return Labels("camera", pa.nulls(len(names), CAMERA_TYPE), [Problem("malformed labels", LABELS_FILE, reason)])
    if entries is None:
        return None
    places = {name: place for place, name in enumerate(names)}
    found, problems = _collect(entries, places)
    problems += [
        Problem("missing label", name, f"not in {LABELS_FILE}") for i, name in enumerate(names) if i not in found
    ]
    classes = bool(found) and sum(type(value) is int for value in found.values()) * 2 > len(found)
    column, more = _classes(found, names) if classes else _cameras(found, names)
    return Labels("label" if classes else "camera", column, problems + more)


def camera_problem(values: Any) -> str | None:
    """What is wrong with one camera label, in words; None for 16 pose and 9 intrinsic numbers that fit together."""
    if not isinstance(values, list | tuple | np.ndarray):
        return f"expected {CAMERA_SIZE} numbers, got {type(values).__name__}"
    if len(values) != CAMERA_SIZE:
        return f"expected {CAMERA_SIZE} numbers (16 pose, 9 intrinsics), got {len(values)}"
    if not all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values):
        return "not all of the 25 values are numbers"
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isfinite(numbers).all():
        return "contains NaN or infinity"
    rotation, focal = numbers[:16].reshape(4, 4)[:3, :3], numbers[[16, 20]]
    if np.abs(numbers[12:16] - (0, 0, 0, 1)).max() > ROTATION_TOLERANCE:
        return "numbers 13 to 16 are not 0 0 0 1 (is it a row-major camera-to-world matrix?)"
    skewed = np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE
    if skewed or np.linalg.det(rotation) < 0:
        return "the 3x3 part of the pose is not a rotation"
    return "focal lengths must be positive" if focal.min() <= 0 else None


def _collect(entries: Any, places: dict[str, int]) -> tuple[dict[int, Any], list[Problem]]:
    """Label of each image by its place, and the entries that fit no image."""
    if not isinstance(entries, list):
        got = type(entries).__name__
        return {}, [Problem("malformed labels", LABELS_FILE, f'"labels" must be a list of [name, label], got {got}')]
    found: dict[int, Any] = {}
    problems = []
    for number, entry in enumerate(entries):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            problems.append(
                Problem("malformed labels", f"labels[{number}]", f"expected [name, label], got {entry!r:.60}")
            )
            continue
        place = places.get(entry[0].replace("\\", "/"))
        if place is None:
            problems.append(Problem("label without image", entry[0], "there is no such image"))
        elif place in found:
            problems.append(Problem("duplicate label", entry[0], "labelled more than once"))
            if found[place] != entry[1]:  # nobody knows which one is right
                found[place] = None
        else:
            found[place] = entry[1]
    return found, problems


def _cameras(found: dict[int, Any], names: Sequence[str]) -> tuple[pa.Array, list[Problem]]:
    table = np.zeros((len(names), CAMERA_SIZE), dtype=np.float32)
    missing = np.ones(len(names), dtype=bool)
    problems = []
    for place, values in found.items():
        if reason := camera_problem(values):
            problems.append(Problem("malformed label", names[place], reason))
        else:
            table[place], missing[place] = values, False
    return pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), CAMERA_SIZE, mask=pa.array(missing)), problems


def _classes(found: dict[int, Any], names: Sequence[str]) -> tuple[pa.Array, list[Problem]]:
    values: list[int | None] = [None] * len(names)
    problems = []
    for place, value in found.items():
        if type(value) is int and value >= 0:
            values[place] = value
        else:
            problems.append(Problem("malformed label", names[place], f"expected a class number, got {value!r:.60}"))
    return pa.array(values, pa.int64()), problems
