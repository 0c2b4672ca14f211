"""Deep3DFaceRecon's reconstructions beside the images, as the cleaned FFHQ and CelebA-HQ ship them.

The cleaned datasets publish a table of two folders for each dataset, `coeff` (one .mat a face) and `rendered` (one
256-pixel PNG a face), for all images but the excluded ones. How their files are named could not be verified: the links
were never filled in, and the two samples (docs/data_sample/000002.mat, .png) have six digits. So folders coeff*, mat
and mats, and render*, are searched, at any depth, and a file belongs to the face of the same number however many zeros
it starts with. What a .mat holds: `facegen.morphable.formats.reconstructions`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm

from facegen.checkpoint.files import check_file
from facegen.data import lists
from facegen.data.layouts.beside import vectors
from facegen.data.layouts.layout import Annotations, Place, Terms
from facegen.data.layouts.per_face import path_column
from facegen.data.poses import pose_columns
from facegen.data.problems import Problem
from facegen.geometry.cameras import from_coefficients
from facegen.morphable.formats.reconstructions import MOST_BYTES, Reconstruction, parse_reconstruction

FOLDERS = ("coeff*", "mat", "mats", "render*")  # for the check for unexpected files
ANGLE, TRANS = slice(224, 227), slice(254, 257)
_COEFFICIENTS, _RENDERS = re.compile(r"coeff\w*|mats?", re.IGNORECASE), re.compile(r"render\w*", re.IGNORECASE)
_THREADS = 8  # small files wait for the disk
_PORTION = 64  # files a thread reads at a time


def folders(home: Path) -> list[Path]:
    """The folders of coefficients and renders in a dataset's folder."""
    return [*_matching(home, _COEFFICIENTS), *_matching(home, _RENDERS)]


def annotate(place: Place, ids: Sequence[str], dataset: str, terms: Terms) -> Annotations:
    """Columns of the reconstructions of faces whose ids are numbers; nothing where neither folder is there.

    coefficients [257], lm68_224 [136], theta, phi, yaw_degrees and pitch_degrees of the head (EG3D's convention), and
    render (path). There is no camera: EG3D's labels fit another crop. `dataset` names the exclusion list: the faces on
    it have no file.
    """
    excluded = {int(Path(name).stem) for name in lists.excluded(dataset)}
    columns: dict[str, pa.Array] = {}
    problems: list[Problem] = []
    if places := _matching(place.home, _COEFFICIENTS):
        files, problems = _match(places, ".mat", ids, excluded, terms)
        found, malformed = read_reconstructions(files)
        columns, problems = _columns(found, len(ids)), problems + malformed
    if places := _matching(place.home, _RENDERS):
        files, more = _match(places, ".png", ids, excluded, terms)
        columns["render"], problems = path_column(place, files, len(ids)), problems + more
    return Annotations(columns, problems)


def read_reconstructions(files: dict[int, Path]) -> tuple[dict[int, Reconstruction], list[Problem]]:
    """Read .mat files by row, with a progress bar; those that cannot be read are named in the problems instead."""
    found: dict[int, Reconstruction] = {}
    problems = []
    contents = _contents(list(files.values()))
    progress = tqdm(contents, "reading coefficients", len(files), unit="file", delay=1, leave=False)
    for (row, path), data in zip(files.items(), progress, strict=True):
        result = parse(data)
        if isinstance(result, Reconstruction):
            found[row] = result
        else:
            name = f"{path.parent.name}/{path.name}"
            problems.append(Problem("malformed coefficients", name, f"{result}; download the file again"))
    return found, problems


def parse(data: bytes | OSError | ValueError) -> Reconstruction | str:
    """What a .mat file holds, or what is wrong with it, or with reading it, in words."""
    if isinstance(data, OSError):
        return f"cannot be read: {data.strerror}"
    if isinstance(data, ValueError):
        return str(data)
    try:
        return parse_reconstruction(data)
    except ValueError as error:
        return str(error)


def _contents(paths: Sequence[Path]) -> Iterator[bytes | OSError | ValueError]:
    """Bytes of files in order, read ahead by threads: parsing holds Python's lock, reading does not."""
    portions = [paths[start : start + _PORTION] for start in range(0, len(paths), _PORTION)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for contents in pool.map(_read, portions):
            yield from contents


def _read(paths: Sequence[Path]) -> list[bytes | OSError | ValueError]:
    def one(path: Path) -> bytes | OSError | ValueError:
        try:
            check_file(path)
            with path.open("rb") as file:
                return file.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            return error

    return [one(path) for path in paths]


def _columns(found: dict[int, Reconstruction], count: int) -> dict[str, pa.Array]:
    coefficients = np.array([face.coefficients for face in found.values()], dtype=np.float64).reshape(-1, 257)
    exact = torch.from_numpy(coefficients)
    cameras = from_coefficients(exact[:, ANGLE], exact[:, TRANS]).numpy()
    return {
        "coefficients": vectors({row: face.coefficients for row, face in found.items()}, count, 257),
        "lm68_224": vectors({row: face.landmarks for row, face in found.items()}, count, 136),
        **pose_columns(cameras, np.array(list(found), dtype=np.int64), count),
    }


def _matching(home: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(path for path in home.iterdir() if pattern.fullmatch(path.name) and path.is_dir())


def _match(
    places: Sequence[Path], suffix: str, ids: Sequence[str], excluded: set[int], terms: Terms
) -> tuple[dict[int, Path], list[Problem]]:
    """File of each face by row, and the files and faces that have no counterpart."""
    problems, files = [], {}
    for path in _below(places, suffix):
        number = int(path.stem) if path.stem.isdecimal() else None
        if number is None or number in files:
            reason = f"the same face as {files[number]}" if number in files else "no number of a face"
            problems.append(Problem("unexpected file", f"{path.parent.name}/{path.name}", reason))
        else:
            files[number] = path
    rows = {int(name): row for row, name in enumerate(ids)}
    extra = [files[number] for number in files if number not in rows]
    problems += [Problem("unexpected file", f"{p.parent.name}/{p.name}", "there is no such face") for p in extra]
    gone = [number for number in rows if number not in files and number not in excluded]
    detail = f"every face but the {len(excluded)} excluded ones has one; expected below {places[0]}, from {terms.home}"
    problems += [Problem("missing file", f"{places[0].name}/{ids[rows[number]]}{suffix}", detail) for number in gone]
    return {rows[number]: path for number, path in files.items() if number in rows}, problems


def _below(places: Iterable[Path], suffix: str) -> Iterator[Path]:
    for place in places:
        for folder, folders, names in os.walk(place):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names) if name.lower().endswith(suffix))
