"""FFHQ as EG3D crops it (Chan et al. 2022): 139,914 images of 512 pixels with cameras, every second one mirrored.

Two ways of naming are in use. EG3D's pipeline makes final_crops/00000.png and 00000_mirror.png with dataset.json, from
which its dataset tool makes a zip in NVIDIA's layout: 00000/img00000000.png to 00139/img00139913.png, even numbers the
images and odd ones their mirrors, dataset.json inside. LPFF ships the same cameras as dataset-ffhq.json. Faces that no
detector found are left out, so that a number in the zip is not FFHQ's.
"""

import os
import re
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from facegen.data.labels import LABELS_FILE, Labels, read_labels
from facegen.data.layouts.beside import missing_file
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms

LPFF_LABELS = "dataset-ffhq.json"
TERMS = Terms(
    "FFHQ-EG3D (Chan et al., CVPR 2022)",
    "non-commercial; FFHQ's licences (CC BY-NC-SA 4.0, each photograph under its author's) and EG3D's NVIDIA licence",
    "https://github.com/NVlabs/eg3d",
)
FACE = re.compile(r"\d{5}/img\d{8}\.png|(?:\d{5}/)?\d{5}(?:_mirror)?\.png")
_LEAST_BYTES = 100  # of a file of labels that holds any: StyleGAN's tool writes {"labels": null}
_LOOKED_AT = 20  # names in a folder


def locate(path: Path) -> Place | None:
    """A folder or zip with cameras that is known as FFHQ by its name or its parent's, or by dataset-ffhq.json.

    NVIDIA's layout alone does not say whose faces it holds, and StyleGAN's FFHQ zip has it too, without cameras.
    """
    named = "ffhq" in path.name.lower() or "ffhq" in path.parent.name.lower()
    if path.is_file():
        return Place(path, path.parent) if named and path.suffix.lower() == ".zip" and _zip_has_cameras(path) else None
    labels = [path / name for name in (LABELS_FILE, LPFF_LABELS)]
    if not any(file.is_file() and file.stat().st_size > _LEAST_BYTES for file in labels):
        return None
    known = (named or labels[1].is_file()) and _holds_faces(path)
    return Place(path, path) if known else None


def face_id(name: str) -> str | None:
    """The name without its suffix, as the lists of EG3D and LPFF have it."""
    return str(PurePosixPath(name).with_suffix("")) if FACE.fullmatch(name) else None


def labels(place: Place, names: Sequence[str], dataset_json: bytes | None) -> Labels | None:
    """Cameras from dataset.json, or from LPFF's dataset-ffhq.json beside the images where there is none."""
    file = place.home / LPFF_LABELS
    text = dataset_json
    if text is None:
        text = file.read_bytes() if file.is_file() else None
    if text is None or not names:
        return None
    flat = [PurePosixPath(name).name for name in names]  # EG3D's cameras name images without folders
    plain = f'"{names[0]}"'.encode() not in text and f'"{flat[0]}"'.encode() in text
    found = read_labels(text, flat if plain else names)
    if found is None or dataset_json is not None:
        return found
    said = [p._replace(id=p.id.replace(LABELS_FILE, LPFF_LABELS), detail=p.detail.replace(LABELS_FILE, LPFF_LABELS))
            for p in found.problems]  # fmt: skip
    return Labels(found.columns, said)


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """No further columns; says where the cameras are missing."""
    inside = place.images.is_file() and _zip_has_cameras(place.images)
    if inside or any((place.home / name).is_file() for name in (LABELS_FILE, LPFF_LABELS)):
        return Annotations({}, [])
    return Annotations({}, [missing_file(place.home / LABELS_FILE, "the cameras of all images", TERMS)])


def _zip_has_cameras(path: Path) -> bool:
    """Whether a zip holds labels that are not null; a zip that cannot be opened is told apart when it is listed."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.NameToInfo.get(LABELS_FILE)
            return info is not None and info.file_size > _LEAST_BYTES
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError):
        return False


def _holds_faces(path: Path) -> bool:
    """Whether the first names in a folder, or in its first one of five digits, are FFHQ-EG3D's."""
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


FFHQ_EG3D = Layout("ffhq_eg3d", TERMS, locate, 139_914, face_id, labels, annotate, metadata=metadata)
