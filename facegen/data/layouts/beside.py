"""Files that lie beside the images of a published dataset: reading them, and saying what is missing or unexpected."""

import json
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegen.checkpoint.files import check_file
from facegen.data.layouts.layout import Terms
from facegen.data.problems import Problem

_OF_ANY_FOLDER = ("*.lance", "README*", "readme*", "LICENSE*", "license*", ".*", "Thumbs.db", "desktop.ini")
_NAMED = 3  # examples in a message


def read_json(path: Path, hook: Callable[[dict], Any] | None = None) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The JSON object in a file, or None and what is wrong with it. `hook` may make each inner object smaller."""
    try:
        check_file(path)
        data = path.read_bytes()
    except ValueError as error:
        return None, [Problem("malformed file", path.name, f"{error}; download it again")]
    except OSError as error:
        return None, [Problem("unreadable file", path.name, f"{error.strerror}: {path}")]
    try:
        content = json.loads(data, object_hook=hook)
    except (ValueError, RecursionError) as error:
        return None, [Problem("malformed file", path.name, f"{json_fault(error)}; download it again")]
    if not isinstance(content, dict):
        detail = f"expected an object with an entry for each face, got {type(content).__name__}"
        return None, [Problem("malformed file", path.name, detail)]
    return content, []


def json_fault(error: ValueError | RecursionError) -> str:
    """What is wrong with a text that was to be JSON, in words."""
    reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
    return f"not a JSON file ({reason})"


def missing_file(path: Path, what: str, terms: Terms) -> Problem:
    """A file that a dataset ships and that is not there: what it is, where it was expected, where it comes from."""
    return Problem("missing file", path.name, f"{what}; expected at {path}, from {terms.home}")


def unexpected_files(home: Path, known: Sequence[str], terms: Terms) -> list[Problem]:
    """Files and folders directly in a dataset's folder that match none of the `known` patterns."""
    patterns = (*known, *_OF_ANY_FOLDER)
    names = sorted(path.name for path in home.iterdir())
    odd = [name for name in names if not any(fnmatch(name, pattern) for pattern in patterns)]
    return [Problem("unexpected file", name, f"no part of {terms.title}; in {home}") for name in odd]


def unmatched(file: str, entries: Sequence[str], ids: Sequence[str], noun: str = "entry") -> list[Problem]:
    """Entries of a file that belong to no face, and faces without an entry; `noun` is what an entry is called.

    A file that has not one of the faces is said to be another release's, in one line instead of thousands.
    """
    faces, known = set(ids), set(entries)
    if known and faces and not known & faces:
        detail = f"none of its {len(known)} entries is a face here: it has {entries[0]!r}, the faces {ids[0]!r}"
        return [Problem("another release", file, f"{detail}; download the file that belongs to these images")]
    extra = [name for name in entries if name not in faces]
    problems = [Problem(f"missing {noun}", name, f"not in {file}") for name in ids if name not in known]
    if extra:
        examples = ", ".join(extra[:_NAMED])
        detail = f"{len(extra)} of {len(known)} have no image here ({examples}{', …' * (len(extra) > _NAMED)})"
        problems.append(Problem(f"{noun} without image", file, detail))
    return problems


def vectors(rows: Mapping[int, NDArray], count: int, size: int) -> pa.Array:
    """A column of `count` float32 vectors of one `size`, given some of them by place; null elsewhere."""
    table, missing = np.zeros((count, size), dtype=np.float32), np.ones(count, dtype=bool)
    for row, values in rows.items():
        table[row], missing[row] = np.ravel(values), False
    return pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), size, mask=pa.array(missing))


def points(values: Any, count: int = 68) -> NDArray[np.float32] | None:
    """`count` pairs (x, y) as an array, or None where that is not what `values` are."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    return array if array.shape == (count, 2) and np.isfinite(array).all() else None
