"""FFHQ (Karras et al. 2019) as its authors ship it: https://github.com/NVlabs/ffhq-dataset.

The folder holds images1024x1024/ and thumbnails128x128/ with 00000/00000.png to 69000/69999.png, and
ffhq-dataset-v2.json; coeff/ and rendered/ of the cleaned dataset may lie beside them. The folder of the images alone
will do, and so will one where all of them lie flat.
"""

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from facegen.data.labels import LABELS_FILE
from facegen.data.layouts import deep3d_files
from facegen.data.layouts.beside import unexpected_files
from facegen.data.layouts.ffhq_metadata import METADATA, THUMBNAILS, annotate_metadata, inspect_checksums
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms

IMAGES = "images1024x1024"
FACE = re.compile(r"(?:(\d{2})000/(?=\1))?(\d{5})\.(?:png|jpg)")
TERMS = Terms(
    "FFHQ (Karras et al., CVPR 2019)",
    f"non-commercial; dataset CC BY-NC-SA 4.0, each photograph under its author's licence ({METADATA})",
    "https://github.com/NVlabs/ffhq-dataset",
)
_THOUSANDS = 70
_SHIPPED = (METADATA, IMAGES, THUMBNAILS, "in-the-wild-images", "tfrecords", "zips", *deep3d_files.FOLDERS)
_LOOKED_AT = 20  # names in a folder; any of FFHQ's shows what they are


def locate(path: Path) -> Place | None:
    """FFHQ's folder, or that of its images, in folders of a thousand or flat.

    Images with a dataset.json among them are somebody's crops or classes: a plain folder with labels.
    """
    if not path.is_dir() or "wild" in path.name:  # in-the-wild-images has the same names, but not the faces
        return None
    for name in (IMAGES, THUMBNAILS):
        if (path / name).is_dir() and not (path / name / LABELS_FILE).is_file():
            return Place(path / name, path)
    if _holds_faces(path / "images"):
        return Place(path / "images", path)
    return Place(path, path.parent if _is_part(path) else path) if _holds_faces(path) else None


def is_ffhq(path: Path) -> bool:
    """Whether its name, its metadata or its folders of a thousand say so; five digits alone are anybody's."""
    named = "ffhq" in path.name.lower() or any((path / name).is_dir() for name in (IMAGES, THUMBNAILS))
    return named or _is_part(path) or (path / METADATA).is_file() or _first_folder(path) is not None


def _is_part(path: Path) -> bool:
    return path.name in (IMAGES, THUMBNAILS) or (path.parent / METADATA).is_file()


def face_id(name: str) -> str | None:
    """The five digits, as FFHQ's own lists write them."""
    match = FACE.fullmatch(name)
    return match[2] if match and int(match[2]) < _THOUSANDS * 1000 else None


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """What ffhq-dataset-v2.json says, and the reconstructions of the cleaned dataset."""
    metadata = annotate_metadata(place, ids)
    faces = deep3d_files.annotate(place, ids, "ffhq", TERMS)
    published = place.images.name in (IMAGES, THUMBNAILS)
    odd = unexpected_files(place.home, _SHIPPED, TERMS) if published else []
    return Annotations({**metadata.columns, **faces.columns}, [*metadata.problems, *faces.problems, *odd])


def metadata(place: Place) -> list[Path]:
    """The JSON file and the folders of the reconstructions."""
    return [place.home / METADATA, *deep3d_files.folders(place.home)]


def _first_folder(path: Path) -> Path | None:
    folders = (path / f"{number:02d}000" for number in range(_THOUSANDS))
    return next((folder for folder in folders if folder.is_dir()), None)


def _holds_faces(path: Path) -> bool:
    """Whether the first names in a folder are FFHQ's; with cameras or mirrored copies they are EG3D's crops."""
    folder = _first_folder(path) or path
    if not folder.is_dir() or (path / LABELS_FILE).is_file():
        return False
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, _LOOKED_AT)]
    inside = "" if folder == path else f"{folder.name}/"
    mirrored = any(PurePosixPath(name).stem.endswith("_mirror") for name in names)
    return not mirrored and any(face_id(inside + name) for name in names)


FFHQ = Layout(
    "ffhq",
    TERMS,
    locate,
    70_000,
    face_id,
    annotate=annotate,
    inspect=inspect_checksums,
    metadata=metadata,
    sure=is_ffhq,
)
