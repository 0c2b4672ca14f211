"""FFHQ as EG3D crops it (Chan et al. 2022): 139,914 images of 512 pixels with cameras, every second one mirrored.

Two ways of naming are in use. EG3D's pipeline makes final_crops/00000.png and 00000_mirror.png with dataset.json, from
which its dataset tool makes a zip in NVIDIA's layout: 00000/img00000000.png to 00139/img00139913.png, even numbers the
images and odd ones their mirrors, dataset.json inside. LPFF ships the same cameras as dataset-ffhq.json. Faces that no
detector found are left out, so that a number in the zip is not FFHQ's.
"""

import os
import re
import sys
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from facegen.checkpoint.files import ZIP_ERRORS
from facegen.data.labels import LABELS_FILE, Labels, read_labels
from facegen.data.layouts.beside import missing_file
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms, stem
from facegen.data.problems import Problem

LPFF_LABELS = "dataset-ffhq.json"
TERMS = Terms(
    "FFHQ-EG3D (Chan et al., CVPR 2022)",
    "non-commercial; FFHQ's licences (CC BY-NC-SA 4.0, each photograph under its author's) and EG3D's NVIDIA licence",
    "https://github.com/NVlabs/eg3d",
)
FACE = re.compile(r"\d{5}/img\d{8}\.png|(?:\d{5}/)?\d{5}(?:_mirror)?\.png")
_NAMED = re.compile(r"ffhq.*eg3d|eg3d.*ffhq|ffhq_512")
_LEAST_BYTES = 100  # of a file of labels that holds any: StyleGAN's tool writes {"labels": null}
_LOOKED_AT = 20  # names in a folder
_FIRST, _BEGINNING = re.compile(rb'\[\s*\[\s*"([^"]+)"'), 1000  # the first name in a file of labels


def locate(path: Path) -> Place | None:
    """A folder or zip in NVIDIA's layout, or with EG3D's own names."""
    if not (path.suffix.lower() == ".zip" if path.is_file() else _holds_faces(path)):
        return None
    return Place(path, path if path.is_dir() else path.parent)


def is_ffhq(path: Path) -> bool:
    """Whether it is known as FFHQ by its name, by dataset-ffhq.json, or as ffhq/final_crops.

    NVIDIA's layout does not say whose faces it holds, and StyleGAN's FFHQ zip has it too, with empty labels. One
    without any file of labels needs a name of EG3D's, and is told that the cameras are missing.
    """
    own = (path.parent.name if path.name == "final_crops" else path.name).lower()
    if (path / LPFF_LABELS).is_file():
        return True
    if "ffhq" not in own:
        return False
    labels = _bytes_of_labels(path)
    return bool(_NAMED.search(own)) if labels is None else labels > _LEAST_BYTES


def face_id(name: str) -> str | None:
    """The name without its suffix, as the lists of EG3D and LPFF have it."""
    return stem(name) if FACE.fullmatch(name) else None


def labels(place: Place, names: Sequence[str], dataset_json: bytes | None) -> Labels | None:
    """Cameras from dataset.json, or from LPFF's dataset-ffhq.json beside the images where there is none."""
    file = place.home / LPFF_LABELS
    text = file.read_bytes() if dataset_json is None and file.is_file() else dataset_json
    if text is None:
        return None
    first = _FIRST.search(text[:_BEGINNING])
    if first and b"/" not in first[1]:  # EG3D's pipeline names images without folders
        names = [PurePosixPath(name).name for name in names]
    found = read_labels(text, names)
    if found is None or dataset_json is not None:
        return found
    return Labels(found.columns, [_of_lpff(problem) for problem in found.problems])


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """No further columns; says where the cameras are missing."""
    if _bytes_of_labels(place.images) is None and not (place.home / LPFF_LABELS).is_file():
        return Annotations({}, [missing_file(place.home / LABELS_FILE, "the cameras of all images", TERMS)])
    return Annotations({}, [])


def _of_lpff(problem: Problem) -> Problem:
    kind, name, detail = problem
    return Problem(kind, name.replace(LABELS_FILE, LPFF_LABELS), detail.replace(LABELS_FILE, LPFF_LABELS))


def _bytes_of_labels(path: Path) -> int | None:
    """Size of a folder's or zip's dataset.json; None where there is none."""
    if not path.is_file():
        return (path / LABELS_FILE).stat().st_size if (path / LABELS_FILE).is_file() else None
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.NameToInfo.get(LABELS_FILE)
            return None if info is None else info.file_size
    except (*ZIP_ERRORS, OSError):
        return sys.maxsize  # what is wrong with the zip is said when it is listed


def _holds_faces(path: Path) -> bool:
    """Whether the first names in a folder, or in its first one of five digits, are FFHQ-EG3D's."""
    if not path.is_dir():
        return False
    with os.scandir(path) as entries:
        names = [entry.name for entry in islice(entries, _LOOKED_AT)]
    folder = next((name for name in sorted(names) if re.fullmatch(r"\d{5}", name) and (path / name).is_dir()), None)
    if folder is not None:
        with os.scandir(path / folder) as entries:
            names += [f"{folder}/{entry.name}" for entry in islice(entries, _LOOKED_AT)]
    return any(FACE.fullmatch(name) for name in names)


def metadata(place: Place) -> list[Path]:
    """LPFF's labels; dataset.json is always looked at."""
    return [place.home / LPFF_LABELS]


FFHQ_EG3D = Layout("ffhq_eg3d", TERMS, locate, 139_914, face_id, labels, annotate, metadata=metadata, sure=is_ffhq)
