"""LPFF, large-pose Flickr faces (Wu et al. 2023), as https://github.com/oneThousand1000/LPFF-dataset ships it.

The folder holds camera_parameters.json, info.json, raw_lm.json and realign2400_lm.json, each an object with an entry
for every face id, and crop/eg3d.zip and crop/stylegan.zip (or what they unpack to, or the zips beside the files). An
id such as 100004356@N06_21795165006_01 is the name of the raw photograph and the number of the face in it: 17,455
photographs hold 19,590 faces. Unsplash-Pexels, its sibling of 19,321 faces, differs in info.json: an id's entry is the
photograph's URL. Cameras are those of the eg3d crop; of them the stylegan crop keeps the pose alone.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from facegen.data.labels import Labels, camera_columns
from facegen.data.layouts.beside import missing_file, points, read_json, unexpected_files, unmatched, vectors
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms
from facegen.data.problems import Problem

CAMERAS, INFO, LANDMARKS = "camera_parameters.json", "info.json", ("raw_lm.json", "realign2400_lm.json")
FILES = (CAMERAS, INFO, *LANDMARKS)
TERMS = Terms(
    "LPFF (Wu et al., ICCV 2023)",
    "non-commercial research; each photograph under its author's licence (info.json)",
    "https://github.com/oneThousand1000/LPFF-dataset/tree/main/dataset_download",
)
_WHAT = {
    CAMERAS: "the cameras of all faces",
    INFO: "author, licence and photograph of every face",
    LANDMARKS[0]: "68 landmarks in the raw photographs",
    LANDMARKS[1]: "68 landmarks in the realigned photographs of 2400 pixels",
}
_COLUMNS = {LANDMARKS[0]: "landmarks_raw", LANDMARKS[1]: "landmarks_realign2400"}
_FACE = re.compile(r"(?:[^/]+/)?([^/]+_\d{2,})\.(?:png|jpg)")
CURATED = "photos.lance"  # tells what `facegen data curate` made from what LPFF ships
_BESIDE = ("debug", "rejected*", "contact_sheet.png")  # what it puts there for people
_SHIPPED = (*FILES, "crop", "raw*", "realign2400*", "eg3d*", "stylegan*", *_BESIDE)


def face_id(name: str) -> str | None:
    """The name of the photograph and the number of the face; a zip may hold a folder around its images."""
    match = _FACE.fullmatch(name)
    return match[1] if match else None


def locate(path: Path, crop: str) -> Place | None:
    """The dataset's folder, or one crop of it; told by the four files, of which one will do, or by `crop`."""
    if path.name in (crop, f"{crop}.zip"):
        home = path.parent.parent if path.parent.name == "crop" else path.parent
        return Place(path, home) if home != path.parent or _has_files(home) else None
    inside, beside = ([folder / name for name in (crop, f"{crop}.zip")] for folder in (path / "crop", path))
    choices = [*inside, *beside] if _has_files(path) else inside
    return next((Place(images, path) for images in choices if images.exists()), None)


def eg3d_labels(place: Place, names: Sequence[str], dataset_json: bytes | None) -> Labels | None:
    """Camera and pose of every face; without the file the columns are null and the problem says so."""
    ids = [face_id(name) or PurePosixPath(name).stem for name in names]
    content, problems = _read(place, CAMERAS)
    if content is None:
        return Labels(camera_columns({}, ids)[0], problems)
    problems += unmatched(CAMERAS, list(content), ids, "label")
    columns, malformed = camera_columns(
        {row: content[name] for row, name in enumerate(ids) if name in content}, ids, CAMERAS
    )
    return Labels(columns, problems + malformed)


def stylegan_labels(place: Place, names: Sequence[str], dataset_json: bytes | None) -> Labels | None:
    """The pose of every face: the published intrinsics are those of the other crop."""
    columns, problems = eg3d_labels(place, names, dataset_json) or Labels({}, [])
    return Labels({name: column for name, column in columns.items() if name != "camera"}, problems)


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """Columns photo, license, author, photo_url, landmarks_raw [136] and landmarks_realign2400 [136] (x, y, y down, in
    pixels of the raw and of the realigned photograph).
    """
    content, problems = _read(place, INFO)
    columns, more = ({}, []) if content is None else _info_columns(content, ids)
    problems += more
    for file in LANDMARKS:
        content, found = _read(place, file)
        column, malformed = (None, []) if content is None else _landmarks(content, file, ids)
        problems += found + malformed
        columns |= {} if column is None else {_COLUMNS[file]: column}
    return Annotations(columns, problems + unexpected_files(place.home, _SHIPPED, TERMS))


def metadata(place: Place) -> list[Path]:
    """The four files."""
    return [place.home / name for name in FILES]


def _has_files(home: Path) -> bool:
    return any((home / name).is_file() for name in FILES)


def _read(place: Place, name: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    path = place.home / name
    return read_json(path) if path.exists() else (None, [missing_file(path, _WHAT[name], TERMS)])


def _info_columns(content: dict[str, Any], ids: Sequence[str]) -> tuple[dict[str, pa.Array], list[Problem]]:
    problems = unmatched(INFO, list(content), ids)
    found = []
    for name in ids:
        entry = _info(name, content.get(name))
        if entry is None and name in content:
            problems.append(
                Problem("malformed entry", name, f"{INFO} has {content[name]!r:.60}, expected its photograph")
            )
        found.append(entry or {})
    names = ("photo", "license", "author", "photo_url")
    return {name: pa.array([entry.get(name) for entry in found], pa.string()) for name in names}, problems


def _info(name: str, entry: Any) -> dict[str, str] | None:
    """Photograph, licence, author and URL of a face; None for an entry of another kind or another photograph."""
    photo = name.rpartition("_")[0]
    if isinstance(entry, str):
        return {"photo": photo, "photo_url": entry}
    info = entry.get("image_info") if isinstance(entry, dict) else None
    if not isinstance(info, dict) or entry.get("raw_image_name") != photo:
        return None
    licence = info.get("license")
    values = {
        "photo": photo,
        "license": licence.get("name") if isinstance(licence, dict) else None,
        "author": info.get("username"),
        "photo_url": info.get("photo_url"),
    }
    return {key: value for key, value in values.items() if isinstance(value, str)}


def _landmarks(content: dict[str, Any], file: str, ids: Sequence[str]) -> tuple[pa.Array, list[Problem]]:
    found = {row: points(content[name]) for row, name in enumerate(ids) if name in content}
    problems = unmatched(file, list(content), ids)
    bad = [ids[row] for row, values in found.items() if values is None]
    problems += [Problem("malformed landmarks", name, f"expected 68 finite pairs (x, y) in {file}") for name in bad]
    return vectors({row: values for row, values in found.items() if values is not None}, len(ids), 136), problems


def _layout(crop: str, is_curated: bool) -> Layout:
    """One crop of LPFF, or of photographs that `facegen data curate` laid out like it: whose terms are the user's."""

    def found(path: Path) -> Place | None:
        place = locate(path, crop)
        return place if place and (place.home / CURATED).exists() is is_curated else None

    owner, terms, published = ("curated", None, None) if is_curated else ("lpff", TERMS, 19_590)
    labels = eg3d_labels if crop == "eg3d" else stylegan_labels
    return Layout(f"{owner}_{crop}", terms, found, published, face_id, labels, annotate, metadata=metadata)


LPFF_EG3D, LPFF_STYLEGAN = (_layout(crop, is_curated=False) for crop in ("eg3d", "stylegan"))
CURATED_EG3D, CURATED_STYLEGAN = (_layout(crop, is_curated=True) for crop in ("eg3d", "stylegan"))
