"""FFHQ-UV (Bai et al., CVPR 2023): facial UV-texture maps, and what is known of the faces they were made from.

https://github.com/csbhr/FFHQ-UV/blob/main/README_dataset.md: `dataset/ffhq-uv` and `dataset/ffhq-uv-interpolate` hold
uv-maps (<six digits>.png, perhaps below folders of a thousand), face-latents (three views of each face) and
meta-info.json; `dataset_project`, beside `dataset`, holds what was measured on FFHQ's photographs, by FFHQ's index. The
maps were shuffled, and meta-info.json says which photograph each came from; about 1,400 come from none.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from facegen.data.layouts import ffhq_uv_project
from facegen.data.layouts.beside import missing_file, read_json, unexpected_files, unmatched
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms
from facegen.data.layouts.per_face import missing_of, path_column
from facegen.data.problems import Problem

MAPS, LATENTS, META = "uv-maps", "face-latents", "meta-info.json"
INTERPOLATED = "ffhq-uv-interpolate"
TERMS = Terms(
    "FFHQ-UV (Bai et al., CVPR 2023)",
    "research only: derived from FFHQ (CC BY-NC-SA 4.0), attributes from Microsoft's Face API",
    "https://github.com/csbhr/FFHQ-UV",
)
_FACE = re.compile(r"(?:(\d{3})/)?(\d{6})\.png")
_LATENT = re.compile(r"(\d{6})_front_latent\.pt")  # ..._left_latent.pt and ..._right_latent.pt lie beside it


def locate(path: Path) -> Place | None:
    """FFHQ-UV's folder, its `uv-maps`, or the folder in which the whole project was unpacked."""
    for home in (path, path.parent if path.name == MAPS else path, path / "ffhq-uv", path / "dataset" / "ffhq-uv"):
        if (home / MAPS).is_dir():
            return None if home.name == INTERPOLATED else Place(home / MAPS, home)
    return None


def locate_interpolated(path: Path) -> Place | None:
    """The folder of FFHQ-UV-Interpolate, told by its name, or its `uv-maps`."""
    home = path.parent if path.name == MAPS else path
    return Place(home / MAPS, home) if home.name == INTERPOLATED and (home / MAPS).is_dir() else None


def face_id(name: str) -> str | None:
    """The six digits; in a folder of a thousand they must be of that thousand."""
    match = _FACE.fullmatch(name)
    return match[2] if match and match[1] in (None, match[2][:3]) else None


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """gender, age, beard, ffhq (index of the photograph), latent (path of the front view), light [9], attributes [8].

    gender is female or male, age in years, beard 0 to 1, all of the front view's face. light and attributes describe
    the photograph: see `ffhq_uv_project`.
    """
    columns, problems = _meta(place.home / META, ids)
    found, more = _latents(place, ids)
    columns, problems = columns | found, problems + more
    if "ffhq" in columns and (project := ffhq_uv_project.find(place.home)):
        found, more = ffhq_uv_project.annotate(project, columns["ffhq"].to_pylist())
        columns, problems = columns | found, problems + more
    return Annotations(columns, [*problems, *unexpected_files(place.home, (MAPS, LATENTS, META), TERMS)])


def metadata(place: Place) -> list[Path]:
    """meta-info.json, the folder of latents, and the files of the project."""
    return [place.home / META, place.home / LATENTS, *ffhq_uv_project.files(place.home)]


def _meta(path: Path, ids: Sequence[str]) -> tuple[dict[str, pa.Array], list[Problem]]:
    if not path.exists():
        return {}, [missing_file(path, "gender, age and beard of each face, and its index in FFHQ", TERMS)]
    content, problems = read_json(path)
    if content is None:
        return {}, problems
    problems += unmatched(META, list(content), ids)
    entries = []
    for name in ids:
        entry, reason = _entry(content[name]) if name in content else ({}, "")
        entries.append(entry)
        if reason:
            problems.append(Problem("malformed entry", f"{META}:{name}", reason))
    types = {"gender": pa.string(), "age": pa.float32(), "beard": pa.float32(), "ffhq": pa.int32()}
    return {name: pa.array([entry.get(name) for entry in entries], kind) for name, kind in types.items()}, problems


def _entry(entry: Any) -> tuple[dict[str, Any], str]:
    """{"Age": 16.0, "Beard": 0.0, "Gender": 0, "Index-in-FFHQ": 11780 or null} as our values, or what is wrong."""
    match entry:
        case {"Age": int() | float() as age, "Beard": int() | float() as beard, "Gender": 0 | 1 as gender}:
            index = entry.get("Index-in-FFHQ")
            if type(index) is str and index.isdecimal():
                index = int(index)
            if index is None or (type(index) is int and 0 <= index < 70_000):
                return {"gender": ("female", "male")[int(gender)], "age": age, "beard": beard, "ffhq": index}, ""
            return {}, f"Index-in-FFHQ: expected a number below 70000 or null, got {index!r:.40}"
    return {}, f"expected Age, Beard, Gender (0 or 1) and Index-in-FFHQ, got {entry!r:.100}"


def _latents(place: Place, ids: Sequence[str]) -> tuple[dict[str, pa.Array], list[Problem]]:
    """Latents lie in a folder for each face, those in folders of a thousand."""
    folder = place.home / LATENTS
    if not folder.is_dir():
        return {}, [missing_file(folder, "latent codes of the faces' three views", TERMS)]
    rows = {name: row for row, name in enumerate(ids)}
    paths: dict[int, Path] = {}
    problems = []
    for base, _, names in os.walk(folder):
        for match in filter(None, map(_LATENT.fullmatch, names)):
            if match[1] in rows:
                paths[rows[match[1]]] = Path(base, match[0])
            else:
                problems.append(
                    Problem("unexpected file", f"{LATENTS}/{match[0]}", f"there is no such face; in {base}")
                )
    problems += [missing_of(folder, f"{name}_front_latent.pt", TERMS) for name in ids if rows[name] not in paths]
    return {"latent": path_column(place, paths, len(ids))}, problems


def _layout(name: str, locate: Callable[[Path], Place | None], published: int) -> Layout:
    return Layout(
        name, TERMS, locate, published, face_id, labels=lambda place, names, dataset_json: None,
        annotate=annotate, metadata=metadata,
    )  # fmt: skip


FFHQ_UV = _layout("ffhq_uv", locate, 54_165)
FFHQ_UV_INTERPOLATE = _layout("ffhq_uv_interpolate", locate_interpolated, 100_000)
