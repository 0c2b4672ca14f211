"""FFHQ's `ffhq-dataset-v2.json`: authors, licences, landmarks and checksums of the 70,000 images."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from facegen.data.headers import ImageError, read_header
from facegen.data.layouts.beside import points, read_json, unmatched, vectors
from facegen.data.layouts.layout import Annotations, Place
from facegen.data.problems import Problem

METADATA = "ffhq-dataset-v2.json"
THUMBNAILS = "thumbnails128x128"
_TEXTS = ("license", "author", "photo_url")
_SPLITS = {"training": "train", "validation": "validation"}
_HEADER = 1 << 16  # bytes


def annotate_metadata(place: Place, ids: Sequence[str]) -> Annotations:
    """Columns license, author, photo_url, split (train, validation) and, where the images have the size that the file
    states, landmarks [136]; nothing without the file.
    """
    if not (place.home / METADATA).exists():
        return Annotations({}, [])
    content, problems = read_json(place.home / METADATA, _smaller)
    if content is None:
        return Annotations({}, problems)
    problems += unmatched(METADATA, [_face(key) for key in content], ids)
    entries: list[dict[str, Any]] = []
    for name in ids:
        reason = _fault(content, name)
        problems += [Problem("malformed metadata", name, f"{reason} in {METADATA}")] * bool(reason)
        entries.append({} if reason else content.get(str(int(name)), {}))
    found = [entry.get("metadata", {}) for entry in entries]
    columns = {name: pa.array([_text(info.get(name)) for info in found], pa.string()) for name in _TEXTS}
    columns["split"] = pa.array([_SPLITS.get(str(entry.get("category"))) for entry in entries], pa.string())
    size = _stored_size(place.images, ids)
    rows = {row: entry["image"]["face_landmarks"] for row, entry in enumerate(entries) if entry}
    if any(entry["image"].get("pixel_size") == size for entry in entries if entry):
        columns["landmarks"] = vectors(rows, len(ids), 136)
    return Annotations(columns, problems)


def inspect_checksums(place: Place, ids: Sequence[str]) -> Iterator[Problem]:
    """Compare size and MD5 of every PNG with the file; images that were converted to another format have none."""
    if not (place.home / METADATA).is_file():
        return
    content, _ = read_json(place.home / METADATA, _smaller)
    part = "thumbnail" if place.images.name == THUMBNAILS else "image"
    for name in tqdm(ids, "comparing checksums", unit="image", delay=1, leave=False):
        path, entry = image_path(place.images, name), (content or {}).get(str(int(name)))
        published = entry.get(part) if isinstance(entry, dict) else None
        if path is None or path.suffix != ".png" or not isinstance(published, dict):
            continue
        if reason := _differs(path, published):
            yield Problem("not as published", str(path), f"{reason}; download the image again")


def image_path(images: Path, name: str) -> Path | None:
    """The file of a face: in a folder for each thousand, as published, or flat."""
    for suffix in (".png", ".jpg"):
        for path in (images / f"{name[:2]}000" / f"{name}{suffix}", images / f"{name}{suffix}"):
            if path.is_file():
                return path
    return None


def _differs(path: Path, published: dict[str, Any]) -> str | None:
    size = path.stat().st_size
    if "file_size" in published and size != published["file_size"]:
        return f"{size} bytes, {METADATA} says {published['file_size']}"
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if "file_md5" in published and digest != published["file_md5"]:
        return f"MD5 {digest}, {METADATA} says {published['file_md5']}"
    return None


def _smaller(value: dict[str, Any]) -> dict[str, Any]:
    """The 268 MB as Python objects would take gigabytes: landmarks become arrays, the photograph's are dropped."""
    if "face_quad" in value:
        return {}
    if "face_landmarks" in value:
        value["face_landmarks"] = points(value["face_landmarks"])
    return value


def _fault(content: dict[str, Any], name: str) -> str | None:
    entry = content.get(str(int(name)), {})
    if not isinstance(entry, dict):
        return f"expected an object, got {type(entry).__name__}"
    if not entry:
        return None
    image, metadata = entry.get("image"), entry.get("metadata")
    if not isinstance(image, dict) or not isinstance(metadata, dict):
        return "no image or no metadata"
    if os.path.basename(str(image.get("file_path"))) != f"{name}.png":
        return f"its file_path is {image.get('file_path')!r}, which is another image,"
    if image.get("face_landmarks") is None:
        return "no 68 finite landmarks"
    return None


def _face(key: str) -> str:
    return f"{int(key):05d}" if key.isdecimal() else key


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _stored_size(images: Path, ids: Sequence[str]) -> list[int] | None:
    """Width and height of the first image: landmarks are pixels of images of the published size."""
    path = image_path(images, ids[0]) if ids else None
    if path is None:
        return None
    with path.open("rb") as file:
        try:
            header = read_header(file.read(_HEADER))
        except ImageError:
            return None
    return [header.width, header.height]
