"""One small file for each face, in a folder beside the images: which belongs to whom, and reading all of them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
from tqdm import tqdm

from facegen.checkpoint.files import check_file
from facegen.data.layouts.beside import missing_file
from facegen.data.layouts.layout import Place, Terms
from facegen.data.problems import Problem

_THREADS = 8  # small files wait for the disk
_PORTION = 64  # files a thread takes at a time
Value = TypeVar("Value")


class Files(NamedTuple):
    """The files of a folder by row of the ids asked about, and what is missing or unexpected; None: no such folder."""

    paths: dict[int, Path] | None
    problems: list[Problem]


def match(
    folder: Path, face_of: Callable[[str], str | None], ids: Sequence[str], terms: Terms, whole: bool = True
) -> Files:
    """Find the file of each face in a folder; `face_of` tells the id from a file's name, None for no such name.

    `whole`: the ids are all faces of the dataset, so that further files are unexpected.
    """
    if not folder.is_dir():
        return Files(None, [missing_file(folder, "a folder with one file for each face", terms)])
    rows = {name: row for row, name in enumerate(ids)}
    paths: dict[int, Path] = {}
    problems = []
    for name in sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")):
        face = face_of(name)
        row = None if face is None else rows.get(face)
        if row is not None and row not in paths:
            paths[row] = folder / name
        elif whole or row is not None:
            reason = "no name of a file here" if face is None else "there is no such face"
            reason = reason if row is None else f"{paths[row].name} is of the same face"
            problems.append(Problem("unexpected file", f"{folder.name}/{name}", f"{reason}; in {folder}"))
    problems += [missing_of(folder, ids[row], terms) for row in range(len(ids)) if row not in paths]
    return Files(paths, problems)


def missing_of(folder: Path, face: str, terms: Terms) -> Problem:
    """A face without its file."""
    return Problem(
        "missing file", f"{folder.name}/{face}", f"every face has one; expected in {folder}, from {terms.home}"
    )


def path_column(place: Place, paths: Mapping[int, Path], count: int) -> pa.Array:
    """Paths as they stand in a table: relative to the images' folder, null where there is none."""
    base = place.images if place.images.is_dir() else place.images.parent
    relative = [Path(os.path.relpath(paths[row], base)).as_posix() if row in paths else None for row in range(count)]
    return pa.array(relative, pa.string())


def read_all(
    paths: Mapping[int, Path], read: Callable[[Path], Value], what: str
) -> tuple[dict[int, Value], list[Problem]]:
    """Read every file by row, by threads and with a progress bar; those of which `read` raises are problems instead."""
    found: dict[int, Value] = {}
    problems = []
    for (row, path), value in zip(paths.items(), _attempts(list(paths.values()), read, what), strict=True):
        if isinstance(value, _Failure):
            problems.append(Problem(f"malformed {what}", f"{path.parent.name}/{path.name}", value.reason))
        else:
            found[row] = value
    return found, problems


class _Failure(NamedTuple):
    reason: str


def _attempts(paths: Sequence[Path], read: Callable[[Path], Value], what: str) -> Iterator[Value | _Failure]:
    portions = [paths[start : start + _PORTION] for start in range(0, len(paths), _PORTION)]
    progress = tqdm(total=len(paths), desc=f"reading {what}", unit="file", delay=1, leave=False)
    with ThreadPoolExecutor(_THREADS) as pool, progress:
        for values in pool.map(lambda portion: [_attempt(path, read) for path in portion], portions):
            progress.update(len(values))
            yield from values


def _attempt(path: Path, read: Callable[[Path], Value]) -> Value | _Failure:
    try:
        check_file(path)
    except OSError as error:
        return _Failure(f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return _Failure(f"{error}; download it again")
    try:
        return read(path)
    except OSError as error:
        return _Failure(f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return _Failure(" ".join(str(error).removeprefix(f"{path}: ").split()))
