"""FFHQ-UV's project details: light and attributes of the photographs of FFHQ from which its maps were made.

`dataset_project/lights.zip` and `attributes.zip`, or the folders they unpack to: `<FFHQ's index>.npy` (spherical
harmonics of DPR, (1, 9, 1, 1)) and `<FFHQ's index>.json`, for the 69,620 photographs whose inversion succeeded. They
were measured on the inverted faces, before light, glasses and expression were edited away.
"""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from facegen.checkpoint.files import ZIP_ERRORS, check_file
from facegen.data.layouts.beside import json_fault, vectors
from facegen.data.layouts.layout import Annotations
from facegen.data.layouts.small_files import npy_array, numbers
from facegen.data.problems import Problem

FOLDER = "dataset_project"
LIGHT_SIZE = 9
ATTRIBUTES = ("Age", "Baldness", "Beard", "Expression", "Gender", "Glasses", "Pitch", "Yaw")  # in this order, as stored
_KINDS = {"light": ("lights", ".npy"), "attributes": ("attributes", ".json")}
_MOST_BYTES = 1 << 16


def find(home: Path) -> Path | None:
    """The project's folder: beside the maps' folder, or beside the folder `dataset` that holds it."""
    return next((place for place in _candidates(home) if place.is_dir()), None)


def files(home: Path) -> list[Path]:
    """The files and folders that `annotate` reads."""
    project = find(home)
    return [project / f"{name}{end}" for name, _ in _KINDS.values() for end in ("", ".zip")] if project else []


def annotate(project: Path, photographs: Sequence[int | None]) -> Annotations:
    """light [9] and attributes [8] of the photograph of each face; null without one, and where inversion had failed."""
    columns: dict[str, pa.Array] = {}
    problems: list[Problem] = []
    readers = {"light": (read_light, LIGHT_SIZE), "attributes": (read_attributes, len(ATTRIBUTES))}
    for column, (read, size) in readers.items():
        name, suffix = _KINDS[column]
        if (source := next((p for p in (project / name, project / f"{name}.zip") if p.exists()), None)) is None:
            continue
        try:
            found, malformed = _read(source, suffix, photographs, read)
        except (*ZIP_ERRORS, ValueError, OSError) as error:
            problems.append(Problem("malformed file", source.name, f"cannot be read ({error}); download it again"))
            continue
        columns[column], problems = vectors(found, len(photographs), size), problems + malformed
    return Annotations(columns, problems)


def read_light(data: bytes) -> np.ndarray:
    """The nine spherical harmonics. Raises ValueError for anything else."""
    return numbers(npy_array(data), [(1, LIGHT_SIZE, 1, 1), (LIGHT_SIZE,)], "light")


def read_attributes(data: bytes) -> np.ndarray:
    """The eight attributes: age in years, pitch and yaw in degrees, gender 1 for male, the others 0 to 1."""
    try:
        content = json.loads(data)
        values = [float(content[name]) for name in ATTRIBUTES]
    except RecursionError as error:
        raise ValueError(json_fault(error)) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"expected the numbers {', '.join(ATTRIBUTES)} ({type(error).__name__}: {error})") from error
    return numbers(np.array(values), [(len(ATTRIBUTES),)], "attributes")


def _candidates(home: Path) -> Iterator[Path]:
    yield from (home.parent / FOLDER, home.parent.parent / FOLDER)


def _read(
    source: Path, suffix: str, photographs: Sequence[int | None], read: Callable[[bytes], np.ndarray]
) -> tuple[dict[int, np.ndarray], list[Problem]]:
    found, problems = {}, []
    with _contents(source, suffix) as (names, load):
        for row, index in enumerate(tqdm(photographs, f"reading {source.name}", unit="file", delay=1, leave=False)):
            if index is None or (name := names.get(index)) is None:
                continue
            try:
                found[row] = read(load(name))
            except (*ZIP_ERRORS, ValueError, OSError) as error:
                problems.append(Problem(f"malformed {source.stem}", f"{source.name}/{name}", str(error)))
    return found, problems


@contextmanager
def _contents(source: Path, suffix: str) -> Iterator[tuple[Mapping[int, str], Callable[[str], bytes]]]:
    """Names by FFHQ's index and a function that reads one, in a zip (also compressed) or a folder."""
    if source.is_dir():
        yield _numbered([path.name for path in source.iterdir()], suffix), lambda name: _bytes(source / name)
        return
    check_file(source)
    with zipfile.ZipFile(source) as archive:

        def load(name: str) -> bytes:
            if (size := archive.getinfo(name).file_size) > _MOST_BYTES:
                raise ValueError(f"{size} bytes, expected at most {_MOST_BYTES}")
            return archive.read(name)

        yield _numbered(archive.namelist(), suffix), load


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _numbered(names: Sequence[str], suffix: str) -> dict[int, str]:
    paths = {name: PurePosixPath(name) for name in names if name.endswith(suffix) and "__MACOSX" not in name}
    return {int(path.stem): name for name, path in paths.items() if path.stem.isdecimal()}
