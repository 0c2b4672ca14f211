"""Labels as NVIDIA's tools ship them: `dataset.json` with {"labels": [["00000/img00000000.png", [25 floats]], ...]}."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegen.data.poses import pose_columns
from facegen.data.problems import Problem
from facegen.geometry.camera_checks import check_labels
from facegen.geometry.constants import LABEL_SIZE

CAMERA_SIZE = LABEL_SIZE
CAMERA_TYPE = pa.list_(pa.float32(), CAMERA_SIZE)
LABELS_FILE = "dataset.json"
IMPLAUSIBLE = "implausible camera"  # kind of problem: the label can be used, but not by EG3D


class Labels(NamedTuple):
    """Columns aligned with the images and what is wrong with them.

    The first column is the label itself: `camera`, or `label` for class numbers. Cameras bring `pose_columns` along;
    layouts whose crops do not fit the published cameras bring these alone.
    """

    columns: dict[str, pa.Array]
    problems: list[Problem]

    @property
    def name(self) -> str:
        """Name of the label's column."""
        return next(iter(self.columns))

    @property
    def column(self) -> pa.Array:
        """The labels themselves."""
        return self.columns[self.name]


def read_labels(text: bytes, names: Sequence[str]) -> Labels | None:
    """Parse `dataset.json` for the images of the given names (relative to the file, with suffix).

    Returns None for `{"labels": null}`. Nothing is raised: a label that cannot be used is null in the column and
    named in the problems; a camera that does not see the face stays, and is named too.
    """
    try:
        content = json.loads(text)
        entries = content["labels"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = _json_fault(text, error)
        return Labels(camera_columns({}, names)[0], [Problem("malformed labels", LABELS_FILE, reason)])
    if entries is None:
        return None
    places = {name: place for place, name in enumerate(names)}
    found, problems = _collect(entries, places)
    problems += [
        Problem("missing label", name, f"not in {LABELS_FILE}") for i, name in enumerate(names) if i not in found
    ]
    classes = bool(found) and sum(type(value) is int for value in found.values()) * 2 > len(found)
    columns, more = _classes(found, names) if classes else camera_columns(found, names)
    return Labels(columns, problems + more)


def _json_fault(text: bytes, error: Exception) -> str:
    if not text:
        return "the file is empty (0 bytes)"
    if isinstance(error, KeyError | TypeError):
        return 'no entry "labels"'
    return (
        f"not a JSON file ({'nested too deep' if isinstance(error, RecursionError) else error}); copy or make it again"
    )


def camera_problem(values: Any) -> str | None:
    """What is wrong with one camera label, in words; None for one that sees a face as EG3D's labels do."""
    if reason := _no_numbers(values):
        return reason
    findings = check_labels(_single([values]))
    return findings.malformed.get(0) or findings.implausible.get(0)


def _no_numbers(values: Any) -> str | None:
    """Why a value is not a row of 25 numbers."""
    if not isinstance(values, list | tuple | np.ndarray):
        return f"expected {CAMERA_SIZE} numbers, got {type(values).__name__}"
    if len(values) != CAMERA_SIZE:
        return f"expected {CAMERA_SIZE} numbers (16 pose, 9 intrinsics), got {len(values)}"
    kinds = set(map(type, values))
    if bool in kinds or not all(issubclass(kind, int | float | np.number) for kind in kinds):
        return f"not all of the {CAMERA_SIZE} values are numbers"
    if int in kinds:  # JSON's whole numbers have no limit
        try:
            _single([values])
        except OverflowError:
            return "contains a number that is too large"
    return None


def _single(rows: Any) -> NDArray[np.float32]:
    """Rows of numbers as they are stored; those beyond single precision become infinite, which the checks name."""
    with np.errstate(over="ignore"):
        return np.asarray(rows, dtype=np.float64).reshape(-1, CAMERA_SIZE).astype(np.float32)


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
            problems.append(
                Problem("label without image", entry[0], f"{LABELS_FILE} has it, but there is no such image")
            )
        elif place in found:
            problems.append(Problem("duplicate label", entry[0], "labelled more than once"))
            if found[place] != entry[1]:  # nobody knows which one is right
                found[place] = None
        else:
            found[place] = entry[1]
    return found, problems


def camera_columns(
    found: Mapping[int, Any], names: Sequence[str], file: str = LABELS_FILE
) -> tuple[dict[str, pa.Array], list[Problem]]:
    """`camera` and the columns of its pose for the images of these names, given the 25 numbers of some by place.

    Malformed cameras are null and named in the problems; implausible ones are kept, and named too; `file` is where they
    come from.
    """
    reasons = {place: reason for place, values in found.items() if (reason := _no_numbers(values))}
    places = [place for place in found if place not in reasons]
    exact = np.array([found[place] for place in places], dtype=np.float64).reshape(-1, CAMERA_SIZE)
    cameras = _single(exact)
    findings = check_labels(cameras)
    reasons |= {places[row]: reason for row, reason in findings.malformed.items()}
    problems = [
        Problem("malformed label", names[place], f"{reasons[place]} in {file}") for place in found if place in reasons
    ]
    problems += [Problem(IMPLAUSIBLE, names[places[row]], reason) for row, reason in findings.implausible.items()]
    good = np.delete(np.arange(len(places)), list(findings.malformed))
    rows, missing = np.array(places, dtype=np.int64)[good], np.ones(len(names), dtype=bool)
    missing[rows] = False
    table = np.zeros((len(names), CAMERA_SIZE), dtype=np.float32)
    table[rows] = cameras[good]
    column = pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), CAMERA_SIZE, mask=pa.array(missing))
    return {"camera": column, **pose_columns(exact[good], rows, len(names))}, problems


def _classes(found: Mapping[int, Any], names: Sequence[str]) -> tuple[dict[str, pa.Array], list[Problem]]:
    values: list[int | None] = [None] * len(names)
    problems = []
    for place, value in found.items():
        if type(value) is int and value >= 0:
            values[place] = value
        else:
            problems.append(
                Problem("malformed label", names[place], f"expected a class number in {LABELS_FILE}, got {value!r:.60}")
            )
    return {"label": pa.array(values, pa.int64())}, problems
